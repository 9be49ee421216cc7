//! The page about the suite.

use crate::case::Mark;
use crate::cases;
use std::fmt::Write;

/// The page `docs/conformance.md`.
pub fn describe() -> String {
    let mut page = BEGIN.to_owned();
    page.push_str("| Mark | The claim is |\n|---|---|\n");
    for mark in Mark::ALL {
        let _ = writeln!(page, "| {} | {} |", mark.letter(), mark.meaning());
    }
    page.push_str(MIDDLE);
    let count = cases::all().count();
    let open = cases::all().filter(|case| case.mark == Mark::I).count();
    let _ = writeln!(
        page,
        "There are {count}, {open} of them about what the sources leave open. Each works in a folder of its own below the \
         run's, one after the other."
    );
    let mut family = "";
    for case in cases::all() {
        if case.family() != family {
            family = case.family();
            let _ = write!(
                page,
                "\n### {family}\n\n| Case | Mark | Claim |\n|---|---|---|\n"
            );
        }
        let (_, name) = case.name.split_once('/').unwrap_or(("", case.name));
        let _ = writeln!(
            page,
            "| `{name}` | {} | {} |",
            case.mark.letter(),
            case.claim
        );
    }
    page
}

const BEGIN: &str = "\
# Conformance

<!-- Printed by `landfall-conformance --describe`; a test compares. -->

`landfall-conformance` asks a service whether it speaks the Dropbox upload API: Landfall's server, another one, or Dropbox
itself, with a URL and a token. It makes the calls that clients make, and some that none should, and looks at the
answers byte for byte where clients do. It shares no code with the server.

```sh
cargo run -p landfall-conformance -- --url http://127.0.0.1:8765 --token-file token
```

`--only NAME` runs the cases whose names begin so, `--list` shows them. `--dropbox` asks Dropbox's own hosts, with
`--numbering observed`, because recordings show that its autorename begins with `document (1).txt`. `--json` prints an
object on a line for each case, and one at the end. `--help` has the rest, and the exit codes.

It works in one folder, `/landfall-conformance-` and something random, which it makes and removes at the end, also
after failures and when it is interrupted. Sessions that it leaves unfinished end by themselves. A service that is
limiting its callers (429) is asked again when it says. The token is never shown.

**Nothing of this was ever tried against Dropbox itself**: there was no connection to it where it was made. What a case
expects rests on what its mark says.

## Marks

";

const MIDDLE: &str = "
A case is `ok`, or it `fails`: then the report has what was expected, what came, the request and the answer. Where
the mark is I, another answer is nobody's fault: the case `differs`, and counts as a failure with `--strict` only. A case
that can't be tried on a service is `skipped`.

## The report as JSON

A line for each case, in the order below:

| Field | |
|---|---|
| `type` | `case` |
| `name`, `claim`, `mark` | as below |
| `outcome` | `ok`, `fails`, `differs`, `skipped` |
| `expected`, `got` | texts; with `fails` and `differs` |
| `request` | with those: `method`, `url`, `headers` (those that the case chose), `body` (null unless it is text), `body_bytes` |
| `answer` | with those: `status`, `headers`, `body` (its begin); null if there was none |
| `why` | with `skipped` |

And one at the end: `type` is `summary`; `url`; the numbers `ok`, `fails`, `differs`, `skipped`; `stopped` (whether it was
interrupted); `lost` (why the service was given up, or null); `folder`; `left` (why the folder is still there, or
null). Fields may be added.

## Cases

";
