//! The lines at the bottom of a terminal that show a transfer.

use super::frame::frame;
use super::lock;
use super::meter::Meter;
use super::speed::Speed;
use console::{Term, measure_text_width};
use std::io;
use std::slice::from_ref;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Shows what a meter says, until it is cleared.
pub(super) struct Bars {
    meter: Arc<Mutex<Meter>>,
    /// Nothing: there is no terminal, or nothing more is to be shown.
    screen: Mutex<Option<Screen>>,
}

/// What is on the terminal. Libraries for bars fill their lines up to the edge: an echoed ^C then
/// lands on a line of its own, a window that gets narrower makes one line of them all, and neither
/// can be cleaned up.
struct Screen {
    term: Term,
    speed: Speed,
    lines: Vec<String>,
    columns: usize,
}

impl Bars {
    pub(super) fn new(meter: Arc<Mutex<Meter>>, shown: bool) -> Self {
        let screen = shown.then(|| Screen {
            // All of a look is written at once, so that nothing flickers.
            term: Term::buffered_stderr(),
            speed: Speed::default(),
            lines: Vec::new(),
            columns: 0,
        });
        Self {
            meter,
            screen: Mutex::new(screen),
        }
    }

    pub(super) fn is_hidden(&self) -> bool {
        lock(&self.screen).is_none()
    }

    /// Shows what the meter says by now.
    pub(super) fn draw(&self) {
        if let Some(screen) = &mut *lock(&self.screen) {
            screen.draw(&self.meter);
        }
    }

    /// Writes something above the lines.
    pub(super) fn above<T>(&self, write: impl FnOnce() -> T) -> T {
        let mut screen = lock(&self.screen);
        let Some(screen) = &mut *screen else {
            return write();
        };
        let had_lines = !screen.lines.is_empty();
        screen.show(Vec::new(), screen.columns);
        let result = write();
        if had_lines {
            screen.draw(&self.meter);
        }
        result
    }

    /// Removes the lines for good.
    pub(super) fn clear(&self) {
        if let Some(mut screen) = lock(&self.screen).take() {
            let (_, columns) = screen.size();
            screen.show(Vec::new(), columns);
        }
    }
}

impl Screen {
    fn draw(&mut self, meter: &Mutex<Meter>) {
        let (rows, columns) = self.size();
        let mut lines = {
            let meter = lock(meter);
            self.speed.look(meter.moved(), Instant::now());
            frame(&meter, self.speed.per_second(), columns)
        };
        // The total is the last one.
        lines.drain(..lines.len().saturating_sub(rows));
        if lines != self.lines || columns != self.columns {
            self.show(lines, columns);
        }
    }

    /// Rows and columns.
    fn size(&self) -> (usize, usize) {
        let (rows, columns) = self.term.size();
        (usize::from(rows), usize::from(columns))
    }

    /// Puts lines in the place of those that are there.
    fn show(&mut self, lines: Vec<String>, columns: usize) {
        // That a terminal is gone can't be told to anybody.
        let _ = self.replace(&lines, columns);
        (self.lines, self.columns) = (lines, columns);
    }

    fn replace(&self, lines: &[String], columns: usize) -> io::Result<()> {
        if let Some((last, above)) = self.lines.split_last() {
            let rows = rows_of(above, columns);
            self.term.move_cursor_up(rows)?;
            // A multiplexer would keep a screen that is cleared at once in its history.
            self.term.clear_line()?;
            let rows = rows + rows_of(from_ref(last), columns);
            for _ in 1..rows {
                self.term.move_cursor_down(1)?;
                self.term.clear_line()?;
            }
            self.term.move_cursor_up(rows - 1)?;
        }
        if !lines.is_empty() {
            // The cursor waits at the beginning of the last line, where an echoed ^C makes no
            // new one.
            self.term.write_str(&format!("{}\r", lines.join("\n")))?;
        }
        self.term.flush()
    }
}

/// Rows that lines take on a terminal that wraps what was written when it gets narrower, as most
/// do.
fn rows_of(lines: &[String], columns: usize) -> usize {
    let rows = |line: &String| measure_text_width(line).div_ceil(columns.max(1)).max(1);
    lines.iter().map(rows).sum()
}

#[cfg(test)]
mod tests {
    use super::rows_of;

    #[test]
    fn lines_are_found_again_after_the_terminal_got_narrower() {
        let lines = [
            "x".repeat(90),
            "y".repeat(40),
            String::new(),
            "z".repeat(90),
        ];
        assert_eq!(rows_of(&lines, 100), 4);
        assert_eq!(rows_of(&lines, 40), 3 + 1 + 1 + 3);
    }
}
