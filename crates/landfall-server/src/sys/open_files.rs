//! How many files, sockets included, this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many it may have at the moment.
pub fn open_files() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Takes as many as the system gives without being asked again: the usual limit of 1,024 is for
/// programs that know no other than small numbers, and a server has a socket for each connection.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // What can't be raised stays; the server takes fewer connections then.
    let _ = setrlimit(Resource::Nofile, most);
}
