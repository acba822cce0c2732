//! Written by `npm run build` in `ui/`; do not edit.

use crate::File;

/// Every file, by path.
pub static FILES: &[File] = &[
    File {
        path: "assets/about-SKLUJOAA.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/about-SKLUJOAA.js"),
    },
    File {
        path: "assets/admin.de-CmYbztlD.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/admin.de-CmYbztlD.js"),
    },
    File {
        path: "assets/connect-lyCFOebi.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/connect-lyCFOebi.js"),
    },
    File {
        path: "assets/connect.de-C83IQ0Df.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/connect.de-C83IQ0Df.js"),
    },
    File {
        path: "assets/console-B07PbgUQ.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/console-B07PbgUQ.js"),
    },
    File {
        path: "assets/console.de-Bk_-c0XW.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/console.de-Bk_-c0XW.js"),
    },
    File {
        path: "assets/count-CulD4fWv.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/count-CulD4fWv.js"),
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
        path: "assets/later-CRvxMa-T.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/later-CRvxMa-T.js"),
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
        path: "assets/session-B6UJp8X-.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/session-B6UJp8X-.js"),
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
