//! The archive that a kernel unpacks as its first file system: cpio in the format "newc"
//! (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).

use std::{collections::BTreeSet, path::Path};

/// File types and permissions (`stat(2)`).
const DIRECTORY: u32 = 0o040_755;
const EXECUTABLE: u32 = 0o100_755;

/// Names and data begin at multiples of this.
const ALIGNMENT: usize = 4;

/// An archive of directories and files, all of them root's and executable.
#[derive(Clone, Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    names: BTreeSet<String>,
    inodes: u32,
}

impl Archive {
    /// Adds a directory, and those above it; one that is there already stays.
    pub fn directory(&mut self, path: &Path) {
        let mut paths: Vec<&Path> = path.ancestors().filter(|path| path.file_name().is_some()).collect();
        paths.reverse();
        for path in paths {
            if let Some(name) = self.new_name(path) {
                self.entry(&name, DIRECTORY, &[]);
            }
        }
    }

    /// Adds a file and the directories above it; false if there is one of that name.
    pub fn file(&mut self, path: &Path, contents: &[u8]) -> bool {
        if let Some(parent) = path.parent() {
            self.directory(parent);
        }
        let name = self.new_name(path);
        if let Some(name) = &name {
            self.entry(name, EXECUTABLE, contents);
        }
        name.is_some()
    }

    /// The archive, ended.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    /// The name without the leading slash, unless it is taken.
    fn new_name(&mut self, path: &Path) -> Option<String> {
        let name = path.to_string_lossy().trim_start_matches('/').to_owned();
        self.names.insert(name.clone()).then_some(name)
    }

    fn entry(&mut self, name: &str, mode: u32, contents: &[u8]) {
        self.inodes += 1;
        let mut fields = [0; 13];
        // Inode, mode, (uid, gid,) links, (time,) size, (four device numbers,) size of the name with its zero.
        fields[0] = self.inodes;
        fields[1] = mode;
        fields[4] = 1;
        fields[6] = contents.len() as u32;
        fields[11] = name.len() as u32 + 1;
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(name.bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(contents);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, mode and contents of all entries.
    fn read(mut bytes: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut entries = Vec::new();
        while !bytes.is_empty() {
            assert_eq!(&bytes[..6], b"070701");
            let field = |n: usize| {
                let digits = std::str::from_utf8(&bytes[6 + n * 8..14 + n * 8]).unwrap();
                u32::from_str_radix(digits, 16).unwrap()
            };
            let (mode, size, name_size) = (field(1), field(6) as usize, field(11) as usize);
            let name = String::from_utf8(bytes[110..110 + name_size - 1].to_vec()).unwrap();
            let data = (110 + name_size).next_multiple_of(4);
            entries.push((name, mode, bytes[data..data + size].to_vec()));
            bytes = &bytes[(data + size).next_multiple_of(4)..];
        }
        entries
    }

    #[test]
    fn directories_come_once_and_before_what_is_in_them() {
        let mut archive = Archive::default();
        assert!(archive.file(Path::new("/usr/bin/a"), b"12345"));
        assert!(archive.file(Path::new("/usr/bin/bc"), b""));
        assert!(!archive.file(Path::new("/usr/bin/a"), b"other"));
        archive.directory(Path::new("/proc"));
        let expected = [
            ("usr", DIRECTORY, ""),
            ("usr/bin", DIRECTORY, ""),
            ("usr/bin/a", EXECUTABLE, "12345"),
            ("usr/bin/bc", EXECUTABLE, ""),
            ("proc", DIRECTORY, ""),
            ("TRAILER!!!", 0, ""),
        ];
        let expected = expected.map(|(name, mode, contents)| (name.to_owned(), mode, contents.as_bytes().to_vec()));
        assert_eq!(read(&archive.finish()), expected);
    }
}
