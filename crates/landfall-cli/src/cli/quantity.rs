//! Sizes and durations as people type them.

use std::time::Duration;

/// A limit in bytes, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota(pub(crate) Option<u64>);

pub(super) fn quota(text: &str) -> Result<Quota, String> {
    match text {
        "none" => Ok(Quota(None)),
        _ => match size(text) {
            Ok(size) => Ok(Quota(Some(size))),
            Err(why) => Err(format!("{why}, or `none`")),
        },
    }
}

/// Bytes. As `dd` and others have it, `M` is `MiB`, and `MB` is a million.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit.trim_start() {
        "" | "B" => 1,
        "k" | "K" | "KiB" => 1 << 10,
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
        "T" | "TiB" => 1 << 40,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return Err("must be a number with or without a unit, such as 40MB or 64MiB".into()),
    };
    let bytes = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit));
    // Counters of the metadata are of 63 bits.
    let bytes = bytes.filter(|&bytes| bytes <= i64::MAX as u64);
    bytes.ok_or_else(|| "must be a number of bytes that fits 63 bits".to_owned())
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "must be a number and s, m, h or d, such as 30s or 7d".to_owned();
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        _ => return Err(wrong()),
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    let seconds = count.checked_mul(unit).filter(|&seconds| seconds > 0);
    seconds.map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::{Quota, duration, quota, size};
    use std::time::Duration;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(duration("4h"), Ok(Duration::from_secs(14_400)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(604_800)));
        for text in [
            "",
            "s",
            "7",
            "7w",
            "-1s",
            "+1s",
            "1.5h",
            "0s",
            "99999999999999999d",
            "1ä",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn quotas_are_bytes_with_or_without_a_unit() {
        assert_eq!(quota("none"), Ok(Quota(None)));
        assert_eq!(quota("0"), Ok(Quota(Some(0))));
        assert_eq!(quota("10GiB"), Ok(Quota(Some(10 << 30))));
        assert_eq!(quota("3 MiB"), Ok(Quota(Some(3 << 20))));
        for text in [
            "",
            "GiB",
            "1GX",
            "1mb",
            "-1",
            "1.5GiB",
            "99999999999999999999",
            "9999999999TiB",
        ] {
            assert!(quota(text).is_err(), "{text}");
        }
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("64M"), Ok(64 << 20));
        assert_eq!(size("40MB"), Ok(40_000_000));
        assert!(size("none").is_err());
    }
}
