//! The process that starts workers, since the server may not start programs.
//!
//! Server and keeper speak in packets of five octets over a socket: what is wanted and the number of a
//! process; with a wish for a worker comes its end of a socket. Answers have the same form. The keeper
//! ends when the server's end of the socket is closed, and takes its workers along.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
    sockopt,
};

use crate::{Error, KEEPER, WORKER, confine};

/// This very program, even when its file has been replaced meanwhile.
const PROGRAM: &str = "/proc/self/exe";
/// How long the keeper has to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// What of the worker's environment is its own: the allocator reserves little ahead (KiB).
const ENVIRONMENT: (&str, &str) = ("MIMALLOC_ARENA_RESERVE", "65536");

/// `S` for starting a worker, `E` for ending one, and a number.
type Packet = [u8; 5];

const START: u8 = b'S';
const END: u8 = b'E';
const REFUSED: u8 = b'R';

fn packet(kind: u8, number: i32) -> Packet {
    let [a, b, c, d] = number.to_le_bytes();
    [kind, a, b, c, d]
}

fn parts([kind, a, b, c, d]: Packet) -> (u8, i32) {
    (kind, i32::from_le_bytes([a, b, c, d]))
}

/// The server's side of the keeper. The keeper ends when this is dropped.
#[derive(Debug)]
pub struct Keeper {
    socket: Mutex<OwnedFd>,
}

impl Keeper {
    /// Starts the keeper: this program again, with [`KEEPER`]. `None` where programs of this kind
    /// cannot be started, as under an emulator.
    ///
    /// # Errors
    /// What the system says.
    pub fn start() -> Result<Option<Self>, Error> {
        let (ours, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(Error::at("a socket"))?;
        sockopt::set_socket_timeout(&ours, sockopt::Timeout::Recv, Some(PATIENCE))
            .map_err(Error::at("a socket"))?;
        let mut command = Command::new(PROGRAM);
        // A group of its own, so that a terminal's interrupt is the server's alone.
        command.arg0("muskox").arg(KEEPER).process_group(0);
        command.stdin(theirs).stdout(Stdio::null()).env_clear();
        match command.spawn() {
            Ok(_) => Ok(Some(Self {
                socket: Mutex::new(ours),
            })),
            Err(error) if error.raw_os_error() == Some(libc::ENOEXEC) => Ok(None),
            Err(error) => Err(Error::at("the keeper")(error)),
        }
    }

    /// Has a worker started that reads and answers at `channel`; its number.
    pub(crate) fn start_worker(&self, channel: BorrowedFd<'_>) -> io::Result<i32> {
        self.ask(packet(START, 0), Some(channel))
    }

    /// Has a worker ended, if it has not ended by itself, and says how it did.
    pub(crate) fn end_worker(&self, number: i32) -> io::Result<ExitStatus> {
        self.ask(packet(END, number), None)
            .map(ExitStatus::from_raw)
    }

    fn ask(&self, wish: Packet, channel: Option<BorrowedFd<'_>>) -> io::Result<i32> {
        // A lock over both: answers come in the order of wishes.
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        send(socket.as_fd(), wish, channel)?;
        match receive(socket.as_fd())? {
            Some((answer, _)) => match parts(answer) {
                (REFUSED, code) => Err(io::Error::from_raw_os_error(code)),
                (_, number) => Ok(number),
            },
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Starts and ends workers as the server at standard input wishes, until it is gone.
#[must_use]
pub fn keep() -> ExitCode {
    // For whoever lists processes; nothing depends on it.
    let _ = rustix::thread::set_name(c"muskox-keeper");
    if confine::confine_keeper().is_err() {
        return ExitCode::FAILURE;
    }
    let stdin = io::stdin();
    let mut workers = Vec::new();
    while let Ok(Some((wish, channel))) = receive(stdin.as_fd()) {
        let answer = fulfil(wish, channel, &mut workers);
        if send(stdin.as_fd(), answer, None).is_err() {
            break;
        }
    }
    for worker in &mut workers {
        let _ = worker.kill();
    }
    ExitCode::SUCCESS
}

fn fulfil(wish: Packet, channel: Option<OwnedFd>, workers: &mut Vec<Child>) -> Packet {
    let done = match (parts(wish), channel) {
        ((START, _), Some(channel)) => start(channel, workers),
        ((END, number), None) => end(number, workers),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    };
    // Those that have ended by themselves.
    workers.retain_mut(|worker| !matches!(worker.try_wait(), Ok(Some(_))));
    done.unwrap_or_else(|error| packet(REFUSED, error.raw_os_error().unwrap_or(libc::EINVAL)))
}

fn start(channel: OwnedFd, workers: &mut Vec<Child>) -> io::Result<Packet> {
    let mut command = Command::new(PROGRAM);
    command.arg0("muskox").arg(WORKER).env_clear();
    command.env(ENVIRONMENT.0, ENVIRONMENT.1);
    command.stdin(channel).stdout(Stdio::null());
    let child = command.spawn()?;
    let number = child.id().cast_signed();
    workers.push(child);
    Ok(packet(START, number))
}

fn end(number: i32, workers: &mut Vec<Child>) -> io::Result<Packet> {
    let found = workers
        .iter()
        .position(|worker| worker.id().cast_signed() == number);
    let Some(place) = found else {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    };
    let mut worker = workers.swap_remove(place);
    // One that has ended already keeps its own status.
    let _ = worker.kill();
    Ok(packet(END, worker.wait()?.into_raw()))
}

fn send(socket: BorrowedFd<'_>, packet: Packet, channel: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let channels: Vec<BorrowedFd<'_>> = channel.into_iter().collect();
    if !channels.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(&channels));
    }
    let octets = [IoSlice::new(&packet)];
    sendmsg(socket, &octets, &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The next packet; `None` when there will be none.
fn receive(socket: BorrowedFd<'_>) -> io::Result<Option<(Packet, Option<OwnedFd>)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut packet: Packet = [0; 5];
    let mut octets = [IoSliceMut::new(&mut packet)];
    let message = loop {
        match recvmsg(socket, &mut octets, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?,
        }
    };
    let channel = ancillary.drain().find_map(|received| match received {
        RecvAncillaryMessage::ScmRights(mut channels) => channels.next(),
        _ => None,
    });
    match message.bytes {
        0 => Ok(None),
        5 => Ok(Some((packet, channel))),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
