//! Weights that make a share.

use super::Share;

/// The weights of blue's and of green's servers that make exactly this share, if there are any: as great as can be, so that on the way from one share
/// to another none is passed that lies outside.
pub(super) fn of_servers(share: Share, blue_servers: usize, green_servers: usize, most: u32) -> Option<(u32, u32)> {
    let (blue, green) = least(share, blue_servers, green_servers)?;
    let times = most / blue.max(green).max(1);
    (times > 0).then_some((blue * times, green * times))
}

/// The weights of blue and of green that make exactly this share, as people would write them: percentages where they are whole ones.
#[cfg(any(feature = "aws-elb", feature = "aws-route53", feature = "kubernetes"))]
pub(super) fn readable(share: Share, most: u32) -> Option<(u32, u32)> {
    let points = u32::from(share.as_basis_points());
    let all = u32::from(Share::ALL.as_basis_points());
    let by = all / 100;
    let found = if points % by == 0 { ((all - points) / by, points / by) } else { least(share, 1, 1)? };
    (found.0.max(found.1) <= most).then_some(found)
}

/// Why a share cannot be set, where none do.
pub(super) fn none_make(share: Share, most: u32) -> String {
    format!("no weights of 0 to {most} give green exactly {share}")
}

/// The smallest ones.
pub(super) fn least(share: Share, blue_servers: usize, green_servers: usize) -> Option<(u32, u32)> {
    let points = u32::from(share.as_basis_points());
    // green's weight × its servers is to blue's × its servers as the share to the rest.
    let green = points.checked_mul(u32::try_from(blue_servers).ok()?)?;
    let blue = (u32::from(Share::ALL.as_basis_points()) - points).checked_mul(u32::try_from(green_servers).ok()?)?;
    let by = greatest_common_divisor(green, blue).max(1);
    Some((blue / by, green / by))
}

/// The share that weights make: green's part of what both have. None if neither has any.
pub(super) fn share(blue: u64, green: u64) -> Option<Share> {
    let (blue, green, all) = (u128::from(blue), u128::from(green), u128::from(Share::ALL.as_basis_points()));
    let points = (green * all).checked_div(blue + green)?;
    // Who has anything at all has not nothing.
    let points = points.max(u128::from(green > 0)).min(all - u128::from(blue > 0));
    Share::basis_points(u16::try_from(points).ok()?)
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_something_has_not_nothing() {
        let check = |blue: u64, green: u64, expected: Option<u16>| {
            assert_eq!(share(blue, green), expected.and_then(Share::basis_points), "{blue} {green}");
        };
        check(1, 1, Some(5000));
        check(20_000, 1, Some(1));
        check(1, 20_000, Some(9999));
        check(1, 0, Some(0));
        check(0, 1, Some(10_000));
        check(0, 0, None);
        check(u64::MAX, u64::MAX, Some(5000));
    }

    #[cfg(any(feature = "aws-elb", feature = "aws-route53", feature = "kubernetes"))]
    #[test]
    fn weights_are_readable() {
        let check = |percent: &str, most: u32, expected: Option<(u32, u32)>| {
            assert_eq!(readable(Share::percent(percent).unwrap(), most), expected, "{percent}");
        };
        check("0", 255, Some((100, 0)));
        check("10", 255, Some((90, 10)));
        check("100", 255, Some((0, 100)));
        check("12.5", 255, Some((7, 1)));
        check("0.5", 255, Some((199, 1)));
        check("0.1", 255, None);
        check("0.1", 999, Some((999, 1)));
        check("0.01", 999, None);
    }

    #[test]
    fn weights_make_exactly_the_share() {
        let check = |blue: usize, green: usize, percent: &str, expected: Option<(u32, u32)>| {
            assert_eq!(of_servers(Share::percent(percent).unwrap(), blue, green, 256), expected, "{percent}");
        };
        check(1, 1, "0", Some((256, 0)));
        check(1, 1, "100", Some((0, 256)));
        check(1, 1, "1", Some((198, 2)));
        check(1, 1, "12.5", Some((252, 36)));
        check(2, 1, "50", Some((128, 256)));
        check(3, 2, "10", Some((252, 42)));
        check(1, 1, "0.5", Some((199, 1)));
        check(1, 1, "0.01", None);
        check(1, 1, "33.33", None);
    }
}
