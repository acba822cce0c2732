//! Written by `npm run build` in `ui/`; do not edit.

use crate::File;

/// Every file, by path.
pub static FILES: &[File] = &[
    File {
        path: "assets/actions-YmUMY18E.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/actions-YmUMY18E.js"),
    },
    File {
        path: "assets/console-91lHnWeW.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/console-91lHnWeW.js"),
    },
    File {
        path: "assets/console.de-CbLB28Pm.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/console.de-CbLB28Pm.js"),
    },
    File {
        path: "assets/de-BCFZZ3Ap.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/de-BCFZZ3Ap.js"),
    },
    File {
        path: "assets/detail-BO1DEnhC.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/detail-BO1DEnhC.js"),
    },
    File {
        path: "assets/detail-DB59gG9g.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/detail-DB59gG9g.js"),
    },
    File {
        path: "assets/parts-Dqgk2-6L.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/parts-Dqgk2-6L.js"),
    },
    File {
        path: "assets/portal-Dc8MzW0s.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/portal-Dc8MzW0s.js"),
    },
    File {
        path: "assets/proofs.de-CfxCV6EZ.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/proofs.de-CfxCV6EZ.js"),
    },
    File {
        path: "assets/theme-D5-UeBfe.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/theme-D5-UeBfe.js"),
    },
    File {
        path: "assets/theme-u8BPsz0N.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../dist/assets/theme-u8BPsz0N.css"),
    },
    File {
        path: "assets/verify-CleHCR-A.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/verify-CleHCR-A.js"),
    },
    File {
        path: "assets/verify-DxH-WStZ.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/verify-DxH-WStZ.js"),
    },
    File {
        path: "assets/viewer-9nCx82Lw.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/viewer-9nCx82Lw.js"),
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
