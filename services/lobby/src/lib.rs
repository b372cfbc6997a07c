//! Clients that have not proved anything yet: so many at a time, the oldest makes room for the newest.
//!
//! Whoever floods the server with connections pushes out the flood's own first connections, and a
//! client that comes to its business at once has left before its turn comes. A session holds its
//! [`Place`] until it has signed in or sent mail. Start at [`Lobby::enter`].
#![deny(missing_docs)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// The clients by the order in which they came.
#[derive(Debug)]
pub struct Lobby {
    limit: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    newest: u64,
    tokens: BTreeMap<u64, CancellationToken>,
}

impl Lobby {
    /// A lobby for so many clients.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            waiting: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a client in; `token` is cancelled when its place is needed.
    #[must_use]
    pub fn enter(self: &Arc<Self>, token: CancellationToken) -> Place {
        let mut waiting = self.lock();
        if waiting.tokens.len() >= self.limit
            && let Some((_, oldest)) = waiting.tokens.pop_first()
        {
            oldest.cancel();
        }
        waiting.newest += 1;
        let number = waiting.newest;
        waiting.tokens.insert(number, token);
        Place {
            lobby: Arc::clone(self),
            number,
        }
    }
}

/// A client's place until it is dropped.
#[derive(Debug)]
pub struct Place {
    lobby: Arc<Lobby>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lobby.lock().tokens.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room() {
        let lobby = Arc::new(Lobby::new(2));
        let tokens: Vec<_> = (0..4).map(|_| CancellationToken::new()).collect();
        let mut places: Vec<_> = tokens[..3].iter().map(|t| lobby.enter(t.clone())).collect();
        assert_eq!(
            tokens.iter().filter(|token| token.is_cancelled()).count(),
            1
        );
        assert!(tokens[0].is_cancelled());
        places.remove(2);
        let _last = lobby.enter(tokens[3].clone());
        assert!(!tokens[1].is_cancelled());
        drop(places);
        assert_eq!(lobby.lock().tokens.len(), 1);
    }
}
