//! Written by `npm run build` in `ui/`; do not edit.

use crate::File;

/// Every file, by path.
pub static FILES: &[File] = &[
    File {
        path: "assets/console-DNm8Q3IK.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/console-DNm8Q3IK.js"),
    },
    File {
        path: "assets/console.de-DF1tDBa_.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/console.de-DF1tDBa_.js"),
    },
    File {
        path: "assets/de-dZbtJaa_.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/de-dZbtJaa_.js"),
    },
    File {
        path: "assets/portal-BPQNA9jM.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/portal-BPQNA9jM.js"),
    },
    File {
        path: "assets/viewer-BrxpcsWU.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/viewer-BrxpcsWU.js"),
    },
    File {
        path: "assets/viewer-F1F8E_Q7.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../dist/assets/viewer-F1F8E_Q7.css"),
    },
    File {
        path: "embed.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/embed.js"),
    },
    File {
        path: "favicon.svg",
        media_type: "image/svg+xml",
        bytes: include_bytes!("../dist/favicon.svg"),
    },
    File {
        path: "index.html",
        media_type: "text/html; charset=utf-8",
        bytes: include_bytes!("../dist/index.html"),
    },
    File {
        path: "portal.html",
        media_type: "text/html; charset=utf-8",
        bytes: include_bytes!("../dist/portal.html"),
    },
];
