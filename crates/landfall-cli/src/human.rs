//! Sizes and times as people read them.

/// Bytes.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut number = bytes as f64;
    let mut unit = 0;
    while number >= 1024.0 && unit < units.len() - 1 {
        number /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} {}", units[unit]),
        _ => format!("{number:.1} {}", units[unit]),
    }
}

/// A time to wait for, never too short.
pub(crate) fn time(seconds: f64) -> String {
    let seconds = seconds.ceil() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::{size, time};

    #[test]
    fn sizes_and_times_are_short() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(5_000_000_000_000), "4.5 TiB");
        assert_eq!(time(12.1), "13 s");
        assert_eq!(time(90.0), "1 min 30 s");
        assert_eq!(time(7300.0), "2 h 1 min");
    }
}
