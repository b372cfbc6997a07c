//! The answers of the DNS as `mail-auth` parsed them, for as long as they are good.
//!
//! Bounded in entries and in time. Two generations stand in for a least-recently-used order: what
//! is used while it is in the older one moves to the younger, and when the younger is full the older
//! is dropped. Negative answers are not here, they are in the resolver's own cache.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mail_auth::{MX, Parameters, RecordSet, ResolverCache, Txt};

/// TXT records kept (keys, SPF and DMARC policies).
const TXT_ENTRIES: usize = 8_192;
/// Answers of every other kind kept, each.
const OTHER_ENTRIES: usize = 2_048;
/// Longest time a record is believed, whatever its TTL: a withdrawn key must stop working.
const TTL_MAX: Duration = Duration::from_secs(60 * 60);

/// A bounded map whose entries expire.
pub(crate) struct Cache<K, V> {
    generations: Mutex<Generations<K, V>>,
    half: usize,
}

struct Generations<K, V> {
    young: HashMap<K, Entry<V>>,
    old: HashMap<K, Entry<V>>,
}

struct Entry<V> {
    value: V,
    expires: Instant,
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    fn new(entries: usize) -> Self {
        let generations = Generations {
            young: HashMap::new(),
            old: HashMap::new(),
        };
        Self {
            generations: Mutex::new(generations),
            half: (entries / 2).max(1),
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Generations<K, V>) -> T) -> T {
        work(
            &mut self
                .generations
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    fn clear(&self) {
        self.with(|g| {
            g.young.clear();
            g.old.clear();
        });
    }
}

impl<K: Hash + Eq, V> Generations<K, V> {
    fn insert(&mut self, key: K, entry: Entry<V>, half: usize) {
        if self.young.len() >= half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, entry);
    }
}

impl<K: Hash + Eq, V: Clone> ResolverCache<K, V> for Cache<K, V> {
    fn get<Q>(&self, name: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let now = Instant::now();
        self.with(|g| {
            if let Some(entry) = g.young.get(name) {
                if entry.expires > now {
                    return Some(entry.value.clone());
                }
                g.young.remove(name);
                return None;
            }
            let (key, entry) = g.old.remove_entry(name)?;
            if entry.expires <= now {
                return None;
            }
            let value = entry.value.clone();
            g.insert(key, entry, self.half);
            Some(value)
        })
    }

    fn remove<Q>(&self, name: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.with(|g| {
            g.young
                .remove(name)
                .or_else(|| g.old.remove(name))
                .map(|e| e.value)
        })
    }

    fn insert(&self, key: K, value: V, valid_until: Instant) {
        let now = Instant::now();
        let expires = valid_until.min(now + TTL_MAX);
        if expires > now {
            self.with(|g| g.insert(key, Entry { value, expires }, self.half));
        }
    }
}

/// One cache for each kind of answer.
pub(crate) struct Caches {
    txt: Cache<Box<str>, Txt>,
    mx: Cache<Box<str>, RecordSet<MX>>,
    ipv4: Cache<Box<str>, RecordSet<Ipv4Addr>>,
    ipv6: Cache<Box<str>, RecordSet<Ipv6Addr>>,
    ptr: Cache<IpAddr, RecordSet<Box<str>>>,
}

/// `mail-auth`'s parameters over our caches.
pub(crate) type Cached<'x, P> = Parameters<
    'x,
    P,
    Cache<Box<str>, Txt>,
    Cache<Box<str>, RecordSet<MX>>,
    Cache<Box<str>, RecordSet<Ipv4Addr>>,
    Cache<Box<str>, RecordSet<Ipv6Addr>>,
    Cache<IpAddr, RecordSet<Box<str>>>,
>;

impl Caches {
    pub(crate) fn new() -> Self {
        Self {
            txt: Cache::new(TXT_ENTRIES),
            mx: Cache::new(OTHER_ENTRIES),
            ipv4: Cache::new(OTHER_ENTRIES),
            ipv6: Cache::new(OTHER_ENTRIES),
            ptr: Cache::new(OTHER_ENTRIES),
        }
    }

    /// Parameters that look here first.
    pub(crate) fn with<P>(&self, params: P) -> Cached<'_, P> {
        Parameters {
            params,
            cache_txt: Some(&self.txt),
            cache_mx: Some(&self.mx),
            cache_ptr: Some(&self.ptr),
            cache_ipv4: Some(&self.ipv4),
            cache_ipv6: Some(&self.ipv6),
        }
    }

    /// A TXT record that was looked up a moment ago.
    pub(crate) fn txt(&self, name: &str) -> Option<Txt> {
        self.txt.get(name)
    }

    pub(crate) fn clear(&self) {
        self.txt.clear();
        self.mx.clear();
        self.ipv4.clear();
        self.ipv6.clear();
        self.ptr.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn entries_expire() {
        let cache: Cache<Box<str>, u32> = Cache::new(10);
        cache.insert("past".into(), 1, Instant::now());
        cache.insert("future".into(), 2, minute());
        assert_eq!(cache.get("past"), None);
        assert_eq!(cache.get("future"), Some(2));
        assert_eq!(cache.remove("future"), Some(2));
        assert_eq!(cache.get("future"), None);
    }

    #[test]
    fn the_cache_stays_bounded_and_keeps_what_is_used() {
        let cache: Cache<Box<str>, u32> = Cache::new(100);
        cache.insert("used".into(), 7, minute());
        for n in 0..10_000_u32 {
            cache.insert(n.to_string().into(), n, minute());
            assert_eq!(cache.get("used"), Some(7), "after {n}");
        }
        let held = cache.with(|g| g.young.len() + g.old.len());
        assert!(held <= 100, "{held}");
        assert_eq!(cache.get("9999"), Some(9999));
        assert_eq!(cache.get("0"), None);
    }
}
