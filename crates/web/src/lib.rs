//! The built console as embedded bytes. The source lies in `ui/`; `npm run build` there writes `dist/` and the table.
//!
//! Names under `assets/` hold a hash of their content and never change; the others are looked up anew each time.
//! Building this crate needs no Node: what was built is part of the repository, and `./test` builds it again and
//! compares.

mod table;

pub use table::FILES;

/// One file of the console.
#[derive(Debug, Clone, Copy)]
pub struct File {
    /// Path below `/console/`.
    pub path: &'static str,
    /// Media type.
    pub media_type: &'static str,
    /// Content.
    pub bytes: &'static [u8],
}

impl File {
    /// Returns true when another content would have another name.
    pub fn is_immutable(&self) -> bool {
        self.path.starts_with("assets/")
    }
}

/// Returns a file by its path.
pub fn file(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_no_inline_script_or_style() {
        for page in ["index.html", "portal.html"] {
            let html = std::str::from_utf8(file(page).unwrap().bytes).unwrap();
            for tag in html.split("<script").skip(1) {
                assert!(
                    tag.trim_start().starts_with("type=\"module\"") && tag.contains("src=\""),
                    "{page}"
                );
            }
            assert!(!html.contains("<style") && !html.contains(" style="), "{page}");
            assert!(
                !html.contains("http://") && !html.contains("https://"),
                "{page} stays on its origin"
            );
        }
    }

    #[test]
    fn every_file_of_a_page_is_there() {
        for page in ["index.html", "portal.html"] {
            let html = std::str::from_utf8(file(page).unwrap().bytes).unwrap();
            for part in html.split("\"/console/").skip(1) {
                let path = part.split('"').next().unwrap();
                assert!(file(path).is_some(), "{page} names {path}");
            }
        }
    }
}
