//! File systems in a file, mounted over a loop device. What their file holds is what a disk would
//! hold: the pages that a server has flushed, and nothing else. A copy of it is a power cut.

use std::fs;
use std::path::{Path, PathBuf};

use crate::context::{Result, Stopped, need_root, run};

/// Copies of a disk until one is that of a moment.
const TRIES: usize = 20;

/// A mounted image. Unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Disk {
    image: PathBuf,
    mount: PathBuf,
}

impl Disk {
    /// A new ext4 of so many MiB, as `NAME.img` in `directory`.
    pub(crate) fn create(directory: &Path, name: &str, mebibytes: u64) -> Result<Self> {
        need_root("mount file systems")?;
        let image = directory.join(format!("{name}.img"));
        fs::File::create(&image)?.set_len(mebibytes << 20)?;
        run("mkfs.ext4", &["-q", "-F", &image.display().to_string()])?;
        // A container may not mount, whoever one is in it.
        Self::mount(image).map_err(|error| Stopped::NotPossible(error.to_string()))
    }

    fn mount(image: PathBuf) -> Result<Self> {
        let mount = image.with_extension("mount");
        fs::create_dir_all(&mount)?;
        run(
            "mount",
            &[
                "-o",
                "loop",
                &image.display().to_string(),
                &mount.display().to_string(),
            ],
        )?;
        Ok(Self { image, mount })
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        &self.mount
    }

    /// What the disk holds at one moment, as a file beside it. Whoever writes must stand still; what
    /// the file system writes by itself meanwhile is seen by comparing, and copied again.
    pub(crate) fn copy(&self, name: &str) -> Result<PathBuf> {
        let copy = self.image.with_file_name(format!("{name}.img"));
        let paths = [&self.image, &copy].map(|path| path.display().to_string());
        for _ in 0..TRIES {
            run("cp", &["--sparse=always", &paths[0], &paths[1]])?;
            if run("cmp", &["--silent", &paths[0], &paths[1]]).is_ok() {
                return Ok(copy);
            }
        }
        Err(Stopped::Failed("the disk never stands still".to_owned()))
    }

    /// The disk of a copied file, as after the machine's start: the journal is replayed.
    pub(crate) fn of_copy(copy: PathBuf) -> Result<Self> {
        Self::mount(copy)
    }

    /// Unmounts and deletes it.
    pub(crate) fn remove(self) -> Result<()> {
        let image = self.image.clone();
        drop(self);
        Ok(fs::remove_file(image)?)
    }

    /// Octets that are free for everybody.
    pub(crate) fn free(&self) -> Result<u64> {
        let stat = rustix::fs::statvfs(&self.mount).map_err(std::io::Error::from)?;
        Ok(stat.f_bavail * stat.f_frsize)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The last server's files may be open for a moment longer.
        for _ in 0..50 {
            if run("umount", &[&self.mount.display().to_string()]).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        eprintln!("   {} stays mounted", self.mount.display());
    }
}
