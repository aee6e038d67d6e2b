//! Listings, page by page.

use std::future::Future;

use super::error::unreadable;
use crate::ports::{ApiError, Listing};

/// A bound on every listing; far above what AWS's quotas allow to exist.
const MAX_PAGES: usize = 10_000;

/// A page and the token of the next one.
pub(super) type Page<T> = (Vec<T>, Option<String>);

/// Turns pages until there are no more. `page` is given the token of the page before.
///
/// Not the SDKs' own paginators: when a token repeats they end as if the list were complete, and what is missing from
/// a complete list is taken for absent.
pub(super) async fn turn<T, F, Answer>(operation: &'static str, mut page: F) -> Listing<T>
where
    F: FnMut(Option<String>) -> Answer,
    Answer: Future<Output = Result<Page<T>, ApiError>>,
{
    let mut items = Vec::new();
    let mut token: Option<String> = None;
    for _ in 0..MAX_PAGES {
        match page(token.clone()).await {
            Ok((more, next)) => {
                items.extend(more);
                let next = next.filter(|next| !next.is_empty());
                if next.is_none() {
                    return Listing::complete(items);
                }
                if next == token {
                    let gap = unreadable(operation, "repeats a page token");
                    return Listing {
                        items,
                        gap: Some(gap),
                    };
                }
                token = next;
            }
            Err(error) => {
                return Listing {
                    items,
                    gap: Some(error),
                };
            }
        }
    }
    Listing {
        items,
        gap: Some(unreadable(operation, "does not end after 10,000 pages")),
    }
}
