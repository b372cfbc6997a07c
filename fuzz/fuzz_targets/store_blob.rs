//! A blob that is altered where it lies is refused or still what it was, whatever size it claims;
//! one that is left alone reads back, in parts too.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use bytes::Bytes;
use fuzz::Store;
use libfuzzer_sys::fuzz_target;
use store::blob::insert;
use store::{BlobId, Error, StagedBlob, Tx};

/// Octets that are added; mostly none, as files are slow.
const NOISE: [usize; 8] = [0, 0, 0, 0, 0, 0, 20_000, 300_000];

static STORE: LazyLock<Store> = LazyLock::new(Store::open);

/// What happens to the stored octets.
struct Damage<'d> {
    /// Positions, modulo the length, and what is added to the octet there.
    changes: &'d [(u32, u8)],
    /// What the size is said to be.
    size: Option<u64>,
}

impl Damage<'_> {
    fn is_none(&self) -> bool {
        self.size.is_none() && self.changes.iter().all(|(_, add)| *add == 0)
    }

    fn apply(&self, octets: &mut [u8]) {
        for (at, add) in self.changes {
            let length = octets.len().max(1);
            if let Some(octet) = octets.get_mut(*at as usize % length) {
                *octet = octet.wrapping_add(*add);
            }
        }
    }
}

/// The files below `directory`.
fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// What reading gives: the whole blob, and its part from 3 to 11. Nothing stays in the database.
fn read(staged: StagedBlob) -> (Result<Vec<u8>, Error>, Result<Vec<u8>, Error>) {
    let (sender, receiver) = std::sync::mpsc::channel();
    let blobs = STORE.db.blobs().clone();
    let undone = STORE
        .runtime
        .block_on(STORE.db.write(move |tx: &mut dyn Tx| {
            insert(tx, &staged, 1)?;
            let whole = blobs.load(tx, &staged.id);
            let part = blobs.load_range(tx, &staged.id, 3..11);
            let _ = sender.send((whole, part));
            Err::<(), Error>(Error::NoBlob(BlobId([0; 16])))
        }));
    assert!(undone.is_err());
    receiver.try_recv().expect("an answer")
}

fuzz_target!(|input: (u8, Vec<(u32, u8)>, Option<u64>, &[u8])| {
    let (frames, changes, size, content) = input;
    let damage = Damage {
        changes: &changes,
        size,
    };
    // Noise does not fit into a row: such a blob has a file, of one frame or two.
    let mut content = content.to_vec();
    let mut noise = vec![0; NOISE[usize::from(frames) % NOISE.len()]];
    STORE.random.fill(&mut noise);
    content.extend_from_slice(&noise);
    let mut staged = STORE.db.blobs().stage_blocking(&content).expect("a blob");
    let mut paths = Vec::new();
    match staged.inline.take() {
        Some(inline) => {
            let mut inline = inline.to_vec();
            damage.apply(&mut inline);
            staged.inline = Some(Bytes::from(inline));
        }
        None => {
            files(&STORE.path().join("blobs"), &mut paths);
            let mut octets = fs::read(&paths[0]).expect("a file");
            damage.apply(&mut octets);
            fs::write(&paths[0], octets).expect("a file");
        }
    }
    staged.size = damage.size.unwrap_or(staged.size);
    let (whole, part) = read(staged);
    for path in paths {
        fs::remove_file(path).expect("a file");
    }
    let expected = &content[content.len().min(3)..content.len().min(11)];
    if damage.is_none() {
        assert_eq!(whole.as_ref().ok(), Some(&content));
        assert_eq!(part.as_deref().ok(), Some(expected));
    }
    if let Ok(whole) = whole {
        assert_eq!(whole, content);
    }
    assert!(part.is_err() || part.is_ok_and(|part| part.len() <= 8));
});
