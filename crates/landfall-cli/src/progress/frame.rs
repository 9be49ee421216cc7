//! What the lines say that show a transfer: one for each large file under way, the total below.

use super::meter::Meter;
use crate::human::{size, time};
use console::measure_text_width;
use std::ops::RangeInclusive;

/// Files that have a line of their own, at most. More of them are seldom under way at once, and
/// people want to see what else is on their terminal.
const FILES: usize = 4;

/// Columns inside a bar.
const BAR: RangeInclusive<usize> = 8..=24;

/// Columns around a bar: its ends, and a space before it.
const BAR_ENDS: usize = 3;

/// Columns that a name needs before there is a bar.
const NAME: usize = 12;

/// Lines for a terminal of so many columns; `speed` is in bytes per second.
pub(super) fn frame(meter: &Meter, speed: f64, columns: usize) -> Vec<String> {
    laid_out(rows(meter, speed), columns)
}

/// What a line says.
struct Row {
    name: String,
    /// How much is done, from 0 to 1, if that is known.
    part: Option<f64>,
    /// What stands behind the bar.
    facts: Vec<Fact>,
}

/// A text, and how much it is missed where there is no room for all.
struct Fact(String, Need);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    Least,
    Less,
    Most,
}

fn rows(meter: &Meter, speed: f64) -> Vec<Row> {
    if meter.is_idle() {
        return Vec::new();
    }
    let mut rows = Vec::new();
    if meter.has_several() {
        let files = meter.large_under_way().into_iter().take(FILES);
        rows.extend(files.map(|(name, done, total)| {
            let part = part(done, total);
            // What is nearly done isn't done.
            let percent = (part * 100.0).floor();
            let all = size(total);
            Row {
                name: printable(name),
                part: Some(part),
                facts: vec![
                    Fact(format!("{percent:>3}%"), Need::Most),
                    Fact(format!("of {all}"), Need::Less),
                ],
            }
        }));
    }
    rows.push(total(meter, speed));
    rows
}

fn total(meter: &Meter, speed: f64) -> Row {
    let (done, total) = (meter.done(), meter.total());
    let bytes = match total {
        Some(total) => format!("{}/{}", size(done), size(total)),
        None => size(done),
    };
    let mut facts = vec![Fact(bytes, Need::Less)];
    if let Some(wait) = meter.waiting() {
        facts.push(Fact(format!("({wait})"), Need::Most));
    } else {
        facts.push(Fact(format!("{}/s", size(speed as u64)), Need::Least));
        let rest = total.map_or(0, |total| total.saturating_sub(done));
        if rest > 0 && speed >= 1.0 {
            facts.push(Fact(time(rest as f64 / speed), Need::Least));
        }
    }
    Row {
        name: printable(&meter.title()),
        part: total.map(|total| part(done, total)),
        facts,
    }
}

fn part(done: u64, total: u64) -> f64 {
    match total {
        0 => 1.0,
        total => (done as f64 / total as f64).min(1.0),
    }
}

/// Names may hold escape sequences.
fn printable(name: &str) -> String {
    name.replace(char::is_control, "?")
}

/// Lays rows out under each other, in so many columns. Where these are too few, facts go that are
/// missed least, bars and then names get shorter, and bars go.
fn laid_out(mut rows: Vec<Row>, columns: usize) -> Vec<String> {
    let name = rows.iter().map(|row| width(&row.name)).max().unwrap_or(0);
    let mut facts = facts_of(&rows);
    while facts + name.min(NAME) > columns && facts > 0 {
        if let Some(row) = rows.iter_mut().max_by_key(|row| row.facts_width()) {
            row.leave_a_fact_out();
        }
        facts = facts_of(&rows);
    }
    let room = columns.saturating_sub(facts);
    let (least, most) = (BAR.start() + BAR_ENDS, BAR.end() + BAR_ENDS);
    let bar = match room >= name.min(NAME) + least {
        true => room.saturating_sub(name).clamp(least, most),
        false => 0,
    };
    let lines = rows.iter().map(|row| {
        // Bars begin and end in the same columns. Without them each name gets what is left.
        let name = name.min(match bar {
            0 => columns.saturating_sub(row.facts_width()),
            bar => room - bar,
        });
        let mut line = end_of(&row.name, name);
        line += &" ".repeat(name - width(&line));
        if let Some(part) = row.part.filter(|_| bar > 0) {
            line += &drawn(part, bar - BAR_ENDS);
        }
        for Fact(text, _) in &row.facts {
            line.push(' ');
            line += text;
        }
        line
    });
    lines.collect()
}

/// Columns that the facts of any row take, at most.
fn facts_of(rows: &[Row]) -> usize {
    rows.iter().map(Row::facts_width).max().unwrap_or(0)
}

impl Row {
    /// Columns that the facts take, each with a space before it.
    fn facts_width(&self) -> usize {
        self.facts.iter().map(|Fact(text, _)| 1 + width(text)).sum()
    }

    fn leave_a_fact_out(&mut self) {
        let facts = self.facts.iter().enumerate();
        if let Some((least, _)) = facts.min_by_key(|(_, Fact(_, need))| *need) {
            self.facts.remove(least);
        }
    }
}

/// A bar with so many columns inside.
fn drawn(part: f64, columns: usize) -> String {
    let done = ((part * columns as f64) as usize).min(columns);
    let mut inside = "=".repeat(done);
    if done < columns {
        inside.push('>');
    }
    format!(" [{inside:columns$}]")
}

/// The end of a name, which says most of a path, in at most so many columns.
fn end_of(name: &str, columns: usize) -> String {
    if width(name) <= columns {
        return name.to_owned();
    }
    let dots = &"..."[..columns.min(3)];
    let mut room = columns - dots.len();
    let mut start = name.len();
    for (at, c) in name.char_indices().rev() {
        match room.checked_sub(columns_of(c)) {
            Some(rest) => room = rest,
            None => break,
        }
        start = at;
    }
    // Marks go with the letter that they are on.
    let end = name[start..].trim_start_matches(|c| columns_of(c) == 0);
    format!("{dots}{end}")
}

/// Columns that a text takes on a terminal: those of its characters, each for itself.
fn width(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

fn columns_of(c: char) -> usize {
    measure_text_width(c.encode_utf8(&mut [0; 4]))
}

#[cfg(test)]
mod tests {
    use super::{Meter, end_of, frame, width};
    use std::sync::Arc;
    use std::time::Duration;

    const MIB: u64 = 1024 * 1024;

    fn lines(meter: &Meter, columns: usize) -> Vec<String> {
        frame(meter, 2.0 * MIB as f64, columns)
    }

    /// A transfer of many files, six of them large, that are half done.
    fn photos() -> Meter {
        let mut meter = Meter::new("photos");
        meter.plan(340, 400 * MIB);
        for number in 1..=6 {
            let file: Arc<str> = format!("/photos/2026/film-{number}.mov").into();
            meter.progress(&file, 20 * MIB, Some(40 * MIB));
        }
        meter.progress(&"/photos/small.jpg".into(), 1, Some(2 * MIB));
        meter.settled("/photos/a.jpg", MIB, true);
        meter
    }

    #[test]
    fn large_files_under_way_have_a_line_each_and_the_total_is_below() {
        let mut meter = photos();
        let shown = [
            "/photos/2026/film-1.mov [============>           ]  50% of 40.0 MiB",
            "/photos/2026/film-2.mov [============>           ]  50% of 40.0 MiB",
            "/photos/2026/film-3.mov [============>           ]  50% of 40.0 MiB",
            "/photos/2026/film-4.mov [============>           ]  50% of 40.0 MiB",
            "1/340 files             [=======>                ] 121.0 MiB/400.0 MiB 2.0 MiB/s 2 min 20 s",
        ];
        assert_eq!(lines(&meter, 100), shown);
        meter.settled("/photos/2026/film-2.mov", 40 * MIB, true);
        let lines = lines(&meter, 100);
        let names: Vec<_> = lines.iter().map(|line| &line[13..19]).collect();
        assert_eq!(names, ["film-1", "film-3", "film-4", "film-5", "      "]);
    }

    #[test]
    fn one_file_has_one_line_with_its_name() {
        let mut meter = Meter::new("/a.iso");
        assert!(lines(&meter, 80).is_empty());
        meter.progress(&"/a.iso".into(), 10 * MIB, Some(40 * MIB));
        let line = "/a.iso [======>                 ] 10.0 MiB/40.0 MiB 2.0 MiB/s 15 s";
        assert_eq!(lines(&meter, 80), [line]);
        let mut stream = Meter::new("/db.sql");
        stream.progress(&"/db.sql".into(), 10 * MIB, None);
        let line = lines(&stream, 80).remove(0);
        assert!(line.starts_with("/db.sql 10.0 MiB 2.0 MiB/s"), "{line}");
    }

    #[test]
    fn a_pause_stands_where_the_speed_was() {
        let mut meter = photos();
        meter.paused(Duration::from_secs(12));
        let total = lines(&meter, 100).pop().unwrap();
        assert!(
            total.ends_with("] 121.0 MiB/400.0 MiB (rate limited, 12 s)"),
            "{total}"
        );
        let total = lines(&meter, 36).pop().unwrap();
        assert!(total.ends_with(" (rate limited, 12 s)"), "{total}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let mut meter = photos();
        let wide: Arc<str> = "/写真/二〇二六年の長い名前のファイル-一.mov".into();
        meter.progress(&wide, 1, Some(50 * MIB));
        meter.settled("/photos/2026/film-1.mov", 40 * MIB, true);
        meter.settled("/photos/2026/film-2.mov", 40 * MIB, true);
        meter.settled("/photos/2026/film-3.mov", 40 * MIB, true);
        for columns in 0..200 {
            for line in lines(&meter, columns) {
                assert!(width(&line) <= columns, "{columns}: {line}");
            }
        }
        assert_eq!(
            lines(&meter, 40),
            [
                "/photos/2026/film-4.mov  50% of 40.0 MiB",
                "/photos/2026/film-5.mov  50% of 40.0 MiB",
                "/photos/2026/film-6.mov  50% of 40.0 MiB",
                "...前のファイル-一.mov    0% of 50.0 MiB",
                "4/340 files          181.0 MiB/400.0 MiB",
            ]
        );
    }

    #[test]
    fn a_name_is_cut_at_its_front_by_the_columns_it_takes() {
        assert_eq!(end_of("/docs/a.txt", 11), "/docs/a.txt");
        assert_eq!(end_of("/docs/a.txt", 10), "...s/a.txt");
        assert_eq!(end_of("/写真/海.jpg", 9), "...海.jpg");
        assert_eq!(end_of("/写真/海.jpg", 8), "....jpg");
        assert_eq!(end_of("/docs/e\u{301}t\u{e9}", 5), "...t\u{e9}");
        assert_eq!(end_of("/docs", 2), "..");
    }

    #[test]
    fn control_characters_of_a_name_reach_no_terminal() {
        let mut meter = Meter::new("photos");
        meter.plan(2, 100 * MIB);
        meter.progress(&"/a\u{1b}[2J\nb".into(), 0, Some(40 * MIB));
        let line = &lines(&meter, 80)[0];
        assert!(line.starts_with("/a?[2J?b  [>"), "{line}");
    }
}
