//! Writing a bundle: files with their digests, the manifest last, always the same bytes for the same files.

use attestary_event::event::hex;
use std::io::{self, Read, Seek, Write};

use attestary_ledger::Note;
use sha2::{Digest as _, Sha256};
use zip::{CompressionMethod, ZipWriter, result::ZipError, write::SimpleFileOptions};

use crate::{
    container::name,
    manifest::{FileLine, Manifest, signed_text},
    seal::{blank, seal},
};

/// A bundle being written.
pub struct BundleWriter<W: Read + Write + Seek> {
    archive: ZipWriter<W>,
    files: Vec<FileLine>,
}

impl<W: Read + Write + Seek> std::fmt::Debug for BundleWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BundleWriter").field("files", &self.files.len()).finish_non_exhaustive()
    }
}

impl<W: Read + Write + Seek> BundleWriter<W> {
    /// Begins a bundle.
    pub fn new(out: W) -> Self {
        Self { archive: ZipWriter::new(out), files: Vec::new() }
    }

    /// Adds a file.
    pub fn add(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.add_from(path, &mut &*bytes)
    }

    /// Adds a file that is read piece by piece.
    pub fn add_from(&mut self, path: &str, reader: &mut dyn Read) -> io::Result<()> {
        // Hashes do not compress.
        let stored = path.starts_with("tile/") && !path.starts_with("tile/entries/");
        let method = if stored { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        let options = SimpleFileOptions::DEFAULT
            .compression_method(method)
            .unix_permissions(0o644)
            .large_file(path == name::EVENTS || path == "load.csv");
        self.archive.start_file(path, options).map_err(failed)?;
        let (mut digest, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 128 << 10]);
        loop {
            let count = reader.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            digest.update(&buffer[..count]);
            bytes += count as u64;
            self.archive.write_all(&buffer[..count])?;
        }
        let sha256 = hex(&digest.finalize());
        self.files.push(FileLine { path: path.to_owned(), bytes, sha256 });
        Ok(())
    }

    /// Writes the manifest, has it signed, ends the archive and seals it.
    pub fn finish<E: From<io::Error>>(
        mut self,
        mut manifest: Manifest,
        sign: impl FnOnce(String) -> Result<Note, E>,
    ) -> Result<W, E> {
        manifest.files = std::mem::take(&mut self.files);
        manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
        let mut bytes = serde_json::to_vec_pretty(&manifest).map_err(io::Error::from)?;
        bytes.push(b'\n');
        let note = sign(signed_text(&manifest.origin, &bytes))?;
        self.add(name::MANIFEST, &bytes)?;
        self.add(name::SIGNATURE, note.to_string().as_bytes())?;
        self.archive.set_comment(blank()).map_err(failed)?;
        let mut done = self.archive.finish().map_err(failed)?;
        seal(&mut done)?;
        Ok(done)
    }
}

fn failed(error: ZipError) -> io::Error {
    match error {
        ZipError::Io(error) => error,
        other => io::Error::other(other),
    }
}
