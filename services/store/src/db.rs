//! The handle of an open store.

use std::future::Future;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use ambient::Timestamp;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::blob::{Blobs, Swept};
use crate::fsck::{self, FsckReport};
use crate::group::{Groups, Writes};
use crate::place::Place;
use crate::provenance::{self, Provenance};
use crate::shared::{Shared, scope_end};
use crate::sqlite::checkpoint::{self, RESTART_AT, Signal};
use crate::sqlite::migrate::{self, Opener};
use crate::sqlite::open::{Role, connect};
use crate::sqlite::readers;
use crate::sqlite::session::Session;
use crate::sqlite::writer::Writer;
use crate::{BlobId, Error, Hub, Metrics, Reader, StoreOptions, Tx};

/// Closures that may wait for a reader before a caller waits to hand one in.
const QUEUE: usize = 1_024;

/// An open store. A clone is another handle of the same one; the threads end with the last handle
/// or at [`Db::close`].
#[derive(Debug, Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    writes: Writes,
    readers: mpsc::Sender<readers::Request>,
    shared: Arc<Shared>,
    place: Arc<Place>,
    blobs: Blobs,
    threads: Mutex<Threads>,
}

impl Db {
    /// Opens the data directory, makes the database or brings its schema up to date, and starts the
    /// threads. Blocks.
    ///
    /// # Errors
    /// [`Error::InUse`], [`Error::NewerVersion`], [`Error::Foreign`], [`Error::NetworkFileSystem`],
    /// and those of the file system and the engine.
    pub fn open(options: StoreOptions) -> Result<Self, Error> {
        let place = Arc::new(Place::open(&options.dir)?);
        let shared = Arc::new(Shared::new());
        let start = Start {
            options: &options,
            place: &place,
            shared: &shared,
        };
        let signal = Arc::new(Signal::default());
        let mut threads = Vec::new();
        let writes = start.writer(&signal, &mut threads)?;
        start.checkpointer(signal, &mut threads)?;
        let readers = start.readers(&mut threads)?;
        let blobs = Blobs::new(&options, place.clone(), shared.clone());
        let threads = Mutex::new(threads);
        let inner = Inner {
            writes,
            readers,
            shared,
            place,
            blobs,
            threads,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Runs `closure` in a write transaction and answers after it is on disk.
    ///
    /// The closure must have no side effects but [`Tx::after_commit`]: it may run again. Its `Err`
    /// or panic undoes its own changes only. If this future is dropped before it is ready, the
    /// closure either runs completely or never.
    ///
    /// # Errors
    /// Those of the closure; [`Error::Full`], [`Error::Failed`], [`Error::Closed`],
    /// [`Error::Panicked`], and those of the engine.
    pub async fn write<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnMut(&mut dyn Tx) -> Result<T, E> + Send + 'static,
        E: From<Error> + Send + 'static,
        T: Send + 'static,
    {
        self.inner.writes.write(closure).await
    }

    /// [`Db::write`] for threads outside of the runtime. Panics inside of it.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub fn write_blocking<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnMut(&mut dyn Tx) -> Result<T, E> + Send + 'static,
        E: From<Error> + Send + 'static,
        T: Send + 'static,
    {
        self.inner.writes.write_blocking(closure)
    }

    /// Runs `closure` in a read transaction: all its queries see one state, which includes every
    /// write that was answered before. It returns owned data, and soon: a long one keeps the log
    /// from being reused.
    ///
    /// # Errors
    /// Those of the closure; [`Error::Closed`], [`Error::Panicked`], and those of the engine.
    pub async fn read<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&mut dyn Reader) -> Result<T, E> + Send + 'static,
        E: From<Error> + Send + 'static,
        T: Send + 'static,
    {
        let (read, answer) = read_request(closure);
        self.inner
            .readers
            .send(read)
            .await
            .map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// [`Db::read`] for threads outside of the runtime. Panics inside of it.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub fn read_blocking<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&mut dyn Reader) -> Result<T, E> + Send + 'static,
        E: From<Error> + Send + 'static,
        T: Send + 'static,
    {
        let (read, answer) = read_request(closure);
        self.inner
            .readers
            .blocking_send(read)
            .map_err(|_| Error::Closed)?;
        answer.blocking_recv().map_err(|_| Error::Closed)?
    }

    /// Where committed changes are announced.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.inner.shared.hub
    }

    /// The bodies of messages.
    #[must_use]
    pub fn blobs(&self) -> &Blobs {
        &self.inner.blobs
    }

    /// A whole blob in its own read transaction.
    ///
    /// # Errors
    /// As [`Blobs::load`].
    pub async fn blob(&self, id: BlobId) -> Result<Vec<u8>, Error> {
        let blobs = self.inner.blobs.clone();
        self.read(move |reader| blobs.load(reader, &id)).await
    }

    /// A part of a blob in its own read transaction.
    ///
    /// # Errors
    /// As [`Blobs::load_range`].
    pub async fn blob_range(&self, id: BlobId, range: Range<u64>) -> Result<Vec<u8>, Error> {
        let blobs = self.inner.blobs.clone();
        self.read(move |reader| blobs.load_range(reader, &id, range))
            .await
    }

    /// Resolves once the store is fail-stopped, or was already. The process should then refuse mail
    /// and end with an error. Never resolves otherwise, not even when the store is closed.
    pub fn failed(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut failed = self.inner.shared.watch_failed();
        async move {
            if failed.wait_for(|failed| *failed).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Whether the store is fail-stopped.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.inner.shared.is_failed()
    }

    /// Bytes the data directory's file system will still take; 0 also when it is out of inodes. For
    /// refusing mail before the disk is full.
    ///
    /// # Errors
    /// [`Error::Io`] if the file system does not answer.
    pub fn free_bytes(&self) -> Result<u64, Error> {
        self.inner.place.free_bytes()
    }

    /// The counters at this moment.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let queued = self.inner.writes.queued();
        Metrics {
            queued: queued.try_into().unwrap_or(u64::MAX),
            wal_bytes: checkpoint::wal_bytes(&checkpoint::wal_path(&self.inner.place.database())),
            ..self.inner.shared.counters.snapshot()
        }
    }

    /// Deletes blobs nobody refers to since a day, and files of blobs that never got a row. Meant
    /// to run every hour; deletes in small transactions.
    ///
    /// # Errors
    /// Those of the engine and of files; what was deleted stays deleted.
    pub async fn sweep(&self) -> Result<Swept, Error> {
        crate::blob::sweep::sweep(self).await
    }

    /// Checks the engine's own structures, every reference count and every blob's bytes. Reads
    /// everything; deliveries go on meanwhile.
    ///
    /// # Errors
    /// Those that keep the check from running; what it finds is in the report.
    pub async fn fsck(&self) -> Result<FsckReport, Error> {
        fsck::fsck(self).await
    }

    /// Which programs wrote the data, and which may open them.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn provenance(&self) -> Result<Provenance, Error> {
        self.read(provenance::read).await
    }

    /// Ends the time in which an older program may open the data: takes away what only older ones
    /// need, and has them refused from now on.
    ///
    /// # Errors
    /// [`Error::NotNewest`], and those of [`Db::write`]; nothing has changed then.
    pub async fn finalize(&self) -> Result<Provenance, Error> {
        self.write(migrate::finalize).await
    }

    /// Runs what is queued, moves the log into the database and ends all threads. Everything after
    /// it answers [`Error::Closed`]. A second call does nothing.
    pub async fn close(&self) {
        // A send fails when an earlier call has closed the queue.
        let _ = self.inner.readers.send(readers::Request::Close).await;
        self.inner.writes.close().await;
        let threads = self.take_threads();
        if tokio::task::spawn_blocking(move || join(threads))
            .await
            .is_err()
        {
            tracing::warn!("waiting for the store's threads was cut short");
        }
        self.release();
    }

    /// [`Db::close`] for threads outside of the runtime. Panics inside of it.
    pub fn close_blocking(&self) {
        let _ = self.inner.readers.blocking_send(readers::Request::Close);
        self.inner.writes.close_blocking();
        join(self.take_threads());
        self.release();
    }

    /// Gives the directory up.
    fn release(&self) {
        self.inner.shared.close();
        self.inner.place.unlock();
    }

    fn take_threads(&self) -> Threads {
        let mut threads = self
            .inner
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *threads)
    }
}

/// What the threads are started from. Each keeps the directory's lock as long as it runs.
struct Start<'a> {
    options: &'a StoreOptions,
    place: &'a Arc<Place>,
    shared: &'a Arc<Shared>,
}

type Threads = Vec<JoinHandle<()>>;

impl Start<'_> {
    /// Makes the database or brings it up to date, and starts its writer. Half of the page cache is
    /// the writer's, the readers share the rest.
    fn writer(&self, signal: &Arc<Signal>, threads: &mut Threads) -> Result<Writes, Error> {
        let database = self.place.database();
        let connection = connect(&database, Role::Writer, self.options.cache_bytes / 2)?;
        let opener = Opener {
            program: &self.options.program,
            now: self.options.clock.now(),
            faults: &self.options.faults,
        };
        migrate::migrate(&connection, &opener)?;
        self.place.sync()?;
        let (writes, mut requests) = Writes::new(self.shared.clone());
        let (options, signal) = (self.options.clone(), signal.clone());
        let (shared, place) = (self.shared.clone(), self.place.clone());
        threads.push(spawn("store-writer", move || {
            let _end = scope_end(|| signal.close());
            let engine = Writer {
                connection: &connection,
                session: Session::new(&connection),
                shared: shared.clone(),
                place,
                clock: options.clock,
                faults: options.faults,
                wal: checkpoint::wal_path(&database),
                signal: signal.clone(),
                restart_at: RESTART_AT,
                now: Timestamp::default(),
            };
            let mut groups = Groups {
                engine,
                shared: shared.clone(),
            };
            groups.run(&mut requests);
            groups.engine.end();
        })?);
        Ok(writes)
    }

    fn checkpointer(&self, signal: Arc<Signal>, threads: &mut Threads) -> Result<(), Error> {
        let database = self.place.database();
        let connection = connect(&database, Role::Checkpointer, 0)?;
        let (shared, place) = (self.shared.clone(), self.place.clone());
        threads.push(spawn("store-checkpoint", move || {
            checkpoint::run(
                &connection,
                &checkpoint::wal_path(&database),
                &signal,
                &shared,
            );
            drop(place);
        })?);
        Ok(())
    }

    fn readers(&self, threads: &mut Threads) -> Result<mpsc::Sender<readers::Request>, Error> {
        let count = self.options.readers.clamp(1, 64);
        let cache = self.options.cache_bytes / 2 / count;
        let (sender, requests) = mpsc::channel(QUEUE);
        let requests = Arc::new(Mutex::new(requests));
        for (number, connection) in self.connections(count, cache).into_iter().enumerate() {
            let connection = connection?;
            let (shared, place) = (self.shared.clone(), self.place.clone());
            let requests = requests.clone();
            threads.push(spawn(&format!("store-reader-{number}"), move || {
                readers::run(&connection, &requests, &shared);
                drop(place);
            })?);
        }
        Ok(sender)
    }

    /// Readers' connections, opened side by side: each reads the schema.
    fn connections(&self, count: usize, cache_bytes: usize) -> Vec<Result<Connection, Error>> {
        let database = self.place.database();
        thread::scope(|scope| {
            let open = || connect(&database, Role::Reader, cache_bytes);
            let opening: Vec<_> = (0..count).map(|_| scope.spawn(open)).collect();
            let opened = opening.into_iter().map(|thread| thread.join());
            opened
                .map(|connection| connection.unwrap_or(Err(Error::Panicked)))
                .collect()
        })
    }
}

fn read_request<T, E, F>(closure: F) -> (readers::Request, oneshot::Receiver<Result<T, E>>)
where
    F: FnOnce(&mut dyn Reader) -> Result<T, E> + Send + 'static,
    E: From<Error> + Send + 'static,
    T: Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let read: readers::Read = Box::new(move |reader| {
        if reply.is_closed() {
            return;
        }
        let result = match reader {
            Ok(reader) => catch(|| closure(reader)).unwrap_or_else(|| Err(Error::Panicked.into())),
            Err(error) => Err(error.into()),
        };
        // Whoever asked may have stopped waiting.
        drop(reply.send(result));
    });
    (readers::Request::Read(read), answer)
}

fn catch<T>(run: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).ok()
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(body)
}

fn join(threads: Threads) {
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!("a thread of the store panicked");
        }
    }
}
