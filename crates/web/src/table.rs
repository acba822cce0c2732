//! Written by `npm run build` in `ui/`; do not edit.

use crate::File;

/// Every file, by path.
pub static FILES: &[File] = &[
    File {
        path: "assets/about-BphKjvSI.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/about-BphKjvSI.js"),
    },
    File {
        path: "assets/admin.de-BqT4Fo_f.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/admin.de-BqT4Fo_f.js"),
    },
    File {
        path: "assets/connect-DgVlXFjy.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/connect-DgVlXFjy.js"),
    },
    File {
        path: "assets/connect.de-C83IQ0Df.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/connect.de-C83IQ0Df.js"),
    },
    File {
        path: "assets/console-VNdgD9RO.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/console-VNdgD9RO.js"),
    },
    File {
        path: "assets/console.de-qYl0pt_M.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/console.de-qYl0pt_M.js"),
    },
    File {
        path: "assets/count-o_E7W0ov.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/count-o_E7W0ov.js"),
    },
    File {
        path: "assets/de-Cj4HOmJT.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/de-Cj4HOmJT.js"),
    },
    File {
        path: "assets/detail-B2cOnLho.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/detail-B2cOnLho.js"),
    },
    File {
        path: "assets/detail-CPV_9Ev3.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/detail-CPV_9Ev3.js"),
    },
    File {
        path: "assets/later-VBRx3KT4.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/later-VBRx3KT4.js"),
    },
    File {
        path: "assets/portal-sUBjfsE_.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/portal-sUBjfsE_.js"),
    },
    File {
        path: "assets/proofs.de-CfxCV6EZ.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/proofs.de-CfxCV6EZ.js"),
    },
    File {
        path: "assets/session-D54HyoQy.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/session-D54HyoQy.js"),
    },
    File {
        path: "assets/theme-BenAK96s.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/theme-BenAK96s.js"),
    },
    File {
        path: "assets/theme-fNnraFh4.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../dist/assets/theme-fNnraFh4.css"),
    },
    File {
        path: "assets/verify-BcNF3oEW.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/verify-BcNF3oEW.js"),
    },
    File {
        path: "assets/verify-CuwupLEF.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/verify-CuwupLEF.js"),
    },
    File {
        path: "assets/viewer-BYBSyakq.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/viewer-BYBSyakq.js"),
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
