//! Which proxies the environment names.

use landfall::Endpoint;
use std::env;

/// The variables that count for this address, without passwords.
pub(super) fn told(endpoint: &Endpoint) -> String {
    if endpoint.is_loopback() {
        return "none is asked for an address of this machine".to_owned();
    }
    let scheme = match endpoint.is_plain_http() {
        true => ["HTTP_PROXY", "http_proxy"],
        false => ["HTTPS_PROXY", "https_proxy"],
    };
    let others = ["ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"];
    let set: Vec<String> = scheme
        .into_iter()
        .chain(others)
        .filter_map(|name| {
            let value = env::var_os(name).filter(|value| !value.is_empty())?;
            Some(format!("{name}={}", shown(&value.to_string_lossy())))
        })
        .collect();
    match set.is_empty() {
        true => "none in the environment".to_owned(),
        false => format!("as the environment says: {}", set.join(", ")),
    }
}

/// An address without user and password.
fn shown(address: &str) -> String {
    let Some((before, host)) = address.rsplit_once('@') else {
        return address.to_owned();
    };
    match before.split_once("://") {
        Some((scheme, _)) => format!("{scheme}://…@{host}"),
        None => format!("…@{host}"),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn passwords_of_proxies_are_not_shown() {
        for (address, wanted) in [
            ("http://proxy:3128", "http://proxy:3128"),
            ("http://panda:hunter2@proxy:3128", "http://…@proxy:3128"),
            ("panda:hunter2@proxy", "…@proxy"),
            ("http://panda:hunter2@://@proxy", "http://…@proxy"),
        ] {
            assert_eq!(shown(address), wanted);
        }
    }
}
