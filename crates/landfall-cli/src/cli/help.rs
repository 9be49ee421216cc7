//! How help is laid out: what a command does, how people type it, then all there is to it.

use super::Cli;
use clap::{Command, CommandFactory, FromArgMatches};

/// As clap's own, but for the examples: most people read no further.
const TEMPLATE: &str = "\
{about-with-newline}
{before-help}{usage-heading} {usage}

{all-args}{after-help}";

/// The command line with its help. Whatever reads it or shows it begins here.
pub(crate) fn command() -> Command {
    fn laid_out(command: Command) -> Command {
        command.help_template(TEMPLATE).mut_subcommands(laid_out)
    }
    laid_out(Cli::command())
}

/// What was typed. If it can't be read, or asks for help, the process ends here.
pub(crate) fn parse() -> Cli {
    let mut matches = command().get_matches();
    Cli::from_arg_matches_mut(&mut matches)
        .unwrap_or_else(|error| error.format(&mut command()).exit())
}

/// The command line for manual pages, which have one place for what no option says: examples
/// come first there.
pub(crate) fn for_manual() -> Command {
    fn joined(command: Command) -> Command {
        let texts = [command.get_before_help(), command.get_after_help()];
        let texts: Vec<_> = texts
            .into_iter()
            .flatten()
            .map(ToString::to_string)
            .collect();
        command
            .after_help(texts.join("\n\n"))
            .mut_subcommands(joined)
    }
    joined(command())
}

#[cfg(test)]
mod tests {
    use super::command;
    use clap::{ArgMatches, Command};

    /// The commands in a line of shell, each as its words. Of the shell, it knows what the
    /// examples use; what a command in `$(…)` prints becomes 1.
    fn commands_in(line: &str) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        let mut words = Vec::new();
        let mut word: Option<String> = None;
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\'' => {
                    let quoted = chars.by_ref().take_while(|c| *c != '\'');
                    word.get_or_insert_default().extend(quoted);
                }
                '$' if chars.peek() == Some(&'(') => {
                    let inner: String = chars.by_ref().skip(1).take_while(|c| *c != ')').collect();
                    found.extend(commands_in(&inner));
                    word.get_or_insert_default().push('1');
                }
                ' ' => words.extend(word.take()),
                '|' | ';' | '<' | '>' | '{' | '}' => {
                    words.extend(word.take());
                    found.push(std::mem::take(&mut words));
                }
                c => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        found.push(words);
        found.retain(|words| !words.is_empty());
        found
    }

    /// The subcommands that were typed.
    fn path(matches: &ArgMatches) -> Vec<String> {
        let mut path = vec!["landfall".to_owned()];
        let mut matches = matches;
        while let Some((name, inner)) = matches.subcommand() {
            path.push(name.to_owned());
            matches = inner;
        }
        path
    }

    /// Which commands an example runs, by their paths.
    fn run_by(example: &str) -> Vec<Vec<String>> {
        let typed = example.trim_start().split("   ").next().unwrap_or_default();
        let mut ours = commands_in(typed);
        ours.retain(|words| words[0] == "landfall");
        let paths = ours.into_iter().map(|words| {
            let parsed = command().try_get_matches_from(words);
            path(&parsed.unwrap_or_else(|error| panic!("{example}\n{error}")))
        });
        paths.collect()
    }

    #[test]
    fn every_command_has_examples_of_itself_that_can_be_typed() {
        fn look(command: &Command, path: &[String]) {
            let examples = command.get_before_help().map(ToString::to_string);
            let examples = examples.unwrap_or_default();
            assert!(examples.starts_with("Example"), "{path:?}: {examples}");
            let mut of_itself = 0;
            for line in examples.lines() {
                // Help is wrapped there if nobody looks on.
                assert!(line.len() <= 100, "{line}");
                if !line.starts_with("  ") {
                    assert!(line.is_empty() || line.ends_with(':'), "{path:?}: {line}");
                    continue;
                }
                let run = run_by(line);
                assert!(!run.is_empty(), "{path:?}: {line}");
                of_itself += run.iter().filter(|run| run.starts_with(path)).count();
            }
            assert!(of_itself > 0, "{path:?}: {examples}");
            for inner in command.get_subcommands() {
                look(inner, &[path, &[inner.get_name().to_owned()]].concat());
            }
        }
        look(&command(), &["landfall".to_owned()]);
    }

    #[test]
    fn the_commands_of_a_line_are_found() {
        let line = "a=$(landfall ls) x='b c' | landfall put - /$a@$(stat -c %s d) > e; f";
        let found = commands_in(line);
        let found: Vec<_> = found.iter().map(|words| words.join("+")).collect();
        let wanted = [
            "landfall+ls",
            "a=1+x=b c",
            "stat+-c+%s+d",
            "landfall+put+-+/$a@1",
            "e",
            "f",
        ];
        assert_eq!(found, wanted);
    }
}
