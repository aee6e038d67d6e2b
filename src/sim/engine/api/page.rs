//! Pages and their tokens. A token is bound to the exact request it came from, as AWS's are.

use std::hash::{Hash, Hasher};

/// Cuts a page out of `items`. `None` when the token is not one of this request.
///
/// `request` is everything that selects and orders the items; `limit` is at least 1.
pub(super) fn cut<T>(
    items: Vec<T>,
    request: &impl Hash,
    token: Option<&String>,
    limit: usize,
) -> Option<(Vec<T>, Option<String>)> {
    cut_shaped(items, |item| item, request, token, limit)
}

/// The same, where only what is on the page is put into its shape.
pub(super) fn cut_shaped<U, T>(
    items: Vec<U>,
    shape: impl Fn(U) -> T,
    request: &impl Hash,
    token: Option<&String>,
    limit: usize,
) -> Option<(Vec<T>, Option<String>)> {
    let mut hasher = Fnv(0xCBF2_9CE4_8422_2325);
    request.hash(&mut hasher);
    let fingerprint = hasher.finish();
    let start = match token {
        None => 0,
        Some(token) => {
            let (of, start) = token.split_once('.')?;
            if u64::from_str_radix(of, 16).ok()? != fingerprint {
                return None;
            }
            start.parse().ok()?
        }
    };
    let total = items.len();
    let page: Vec<T> = items
        .into_iter()
        .skip(start)
        .take(limit)
        .map(shape)
        .collect();
    let end = start + page.len();
    let next = (end < total).then(|| format!("{fingerprint:016x}.{end}"));
    Some((page, next))
}

/// FNV-1a: the standard library's hasher may change between releases, and tokens should not.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
}

/// The page size to use: what was asked for, or the default.
pub(super) fn size(asked: Option<i64>, default: usize) -> usize {
    asked
        .and_then(|n| usize::try_from(n).ok())
        .map_or(default, |n| n.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_cover_everything_once() {
        let mut token = None;
        let mut seen = Vec::new();
        loop {
            let (page, next) = cut((0..23).collect(), &"x", token.as_ref(), 10).unwrap();
            seen.extend(page);
            token = next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, (0..23).collect::<Vec<_>>());
    }

    #[test]
    fn a_token_of_another_request_is_refused() {
        let (_, token) = cut(vec![1, 2], &"a", None, 1).unwrap();
        assert!(cut(vec![1, 2], &"b", token.as_ref(), 1).is_none());
        assert!(cut(vec![1, 2], &"a", Some(&"junk".to_owned()), 1).is_none());
    }
}
