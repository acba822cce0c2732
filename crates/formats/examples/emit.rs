//! Writes events in a format: native JSON lines (as `GET /v1/events` gives them) on stdin, records on stdout.
//!
//! Usage: `emit '{"type":"cef","vendor":"Acme"}' ['{"framing":"lf"}']`. The second argument, syslog options, puts
//! each record into a frame; without it every record is a line.

use std::{
    error::Error,
    io::{BufRead as _, Write as _},
};

use attestary_event::{View, actions::KnownActions};
use attestary_formats::{Format, json, syslog};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let format: Format = serde_json::from_str(&arguments.next().ok_or("which format?")?)?;
    let syslog: Option<syslog::Options> =
        arguments.next().map(|text| serde_json::from_str(&text)).transpose()?;
    let actions = KnownActions::builtin();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut record = Vec::new();
    for (index, line) in std::io::stdin().lock().split(b'\n').enumerate() {
        let event =
            json::decode(&line?).map_err(|violation| format!("line {}: {violation}", index + 1))?;
        let fields = event.fields();
        let view = View { event: &event, fields: &fields };
        record.clear();
        if let Some(options) = &syslog {
            syslog::frame(&view, actions, &format, options, &mut record);
        } else {
            format.encode(&view, actions, &mut record);
            record.push(b'\n');
        }
        out.write_all(&record)?;
    }
    Ok(out.flush()?)
}
