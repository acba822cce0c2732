//! Written by `npm run build` in `ui/`; do not edit.

use crate::File;

/// Every file, by path.
pub static FILES: &[File] = &[
    File {
        path: "assets/about-CBgJXSim.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/about-CBgJXSim.js"),
    },
    File {
        path: "assets/admin.de-BqT4Fo_f.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/admin.de-BqT4Fo_f.js"),
    },
    File {
        path: "assets/connect-DCt68NwP.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/connect-DCt68NwP.js"),
    },
    File {
        path: "assets/connect.de-C83IQ0Df.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/connect.de-C83IQ0Df.js"),
    },
    File {
        path: "assets/console-BUR3bVx-.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/console-BUR3bVx-.js"),
    },
    File {
        path: "assets/console.de-qYl0pt_M.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/console.de-qYl0pt_M.js"),
    },
    File {
        path: "assets/count-CqgTmalf.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/count-CqgTmalf.js"),
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
        path: "assets/later-DiE4ltxl.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/later-DiE4ltxl.js"),
    },
    File {
        path: "assets/portal-DU_RMlw2.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/portal-DU_RMlw2.js"),
    },
    File {
        path: "assets/proofs.de-CfxCV6EZ.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/proofs.de-CfxCV6EZ.js"),
    },
    File {
        path: "assets/session-CudY3i8f.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/session-CudY3i8f.js"),
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
        path: "assets/viewer-Bz4p3cck.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/viewer-Bz4p3cck.js"),
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
