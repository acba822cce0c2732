//! Server-Sent Events as this server writes them: lines end with a line feed, data is one line.

use anyhow::bail;

/// Bytes of one frame: the largest event there can be, and its escapes.
const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One frame. Comments have neither a kind nor data.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Where to go on after this frame.
    pub(crate) id: Option<String>,
    /// What the data is; empty for comments.
    pub(crate) kind: String,
    /// The data.
    pub(crate) data: String,
}

/// Cuts what comes in pieces into frames.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
    /// Bytes that were searched for the end of a frame before.
    searched: usize,
}

impl Frames {
    /// Takes the next piece and returns the frames that are complete now.
    pub(crate) fn take(&mut self, piece: &[u8]) -> anyhow::Result<Vec<Frame>> {
        self.bytes.extend_from_slice(piece);
        let mut frames = Vec::new();
        let mut start = 0;
        let mut from = self.searched.saturating_sub(1);
        while let Some(at) = self.bytes[from..].windows(2).position(|two| two == b"\n\n") {
            frames.push(parse(std::str::from_utf8(&self.bytes[start..from + at])?));
            start = from + at + 2;
            from = start;
        }
        self.bytes.drain(..start);
        self.searched = self.bytes.len();
        if self.bytes.len() > FRAME_BYTES_MAX {
            bail!("the server sent an event of more than {FRAME_BYTES_MAX} bytes");
        }
        Ok(frames)
    }
}

fn parse(text: &str) -> Frame {
    let mut frame = Frame::default();
    for line in text.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => frame.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut frame.kind),
            "data" => value.clone_into(&mut frame.data),
            _ => {}
        }
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_however_they_are_cut() {
        let text = "id: 7\nevent: event\ndata: {\"a\":\"\u{e4}: b\"}\n\n:\nid: 9\n\n:\n\nevent: end\ndata: {}\n\n";
        let frame = |id: Option<&str>, kind: &str, data: &str| Frame {
            id: id.map(str::to_owned),
            kind: kind.to_owned(),
            data: data.to_owned(),
        };
        let expected = [
            frame(Some("7"), "event", "{\"a\":\"\u{e4}: b\"}"),
            frame(Some("9"), "", ""),
            frame(None, "", ""),
            frame(None, "end", "{}"),
        ];
        for size in 1..=text.len() {
            let mut frames = Frames::default();
            let found: Vec<_> = text
                .as_bytes()
                .chunks(size)
                .flat_map(|piece| frames.take(piece).unwrap())
                .collect();
            assert_eq!(found, expected, "pieces of {size}");
        }
    }

    #[test]
    fn a_frame_without_an_end_is_refused() {
        let mut frames = Frames::default();
        assert!(frames.take(&vec![b'x'; FRAME_BYTES_MAX]).unwrap().is_empty());
        assert!(frames.take(b"x").is_err());
    }
}
