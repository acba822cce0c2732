//! Written by `npm run build` in `ui/`; do not edit.

use crate::File;

/// Every file, by path.
pub static FILES: &[File] = &[
    File {
        path: "assets/about-BT0ds-tq.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/about-BT0ds-tq.js"),
    },
    File {
        path: "assets/admin.de-CmYbztlD.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/admin.de-CmYbztlD.js"),
    },
    File {
        path: "assets/connect-Bcc3fqqH.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/connect-Bcc3fqqH.js"),
    },
    File {
        path: "assets/connect.de-3vFaKyb-.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/connect.de-3vFaKyb-.js"),
    },
    File {
        path: "assets/console-BzA2RVgg.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/console-BzA2RVgg.js"),
    },
    File {
        path: "assets/console.de-DMEunpj_.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/console.de-DMEunpj_.js"),
    },
    File {
        path: "assets/count-CYJPx7Yg.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/count-CYJPx7Yg.js"),
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
        path: "assets/later-BY-NXYZ-.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/later-BY-NXYZ-.js"),
    },
    File {
        path: "assets/portal-CuD0u5DQ.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/portal-CuD0u5DQ.js"),
    },
    File {
        path: "assets/proofs.de-CfxCV6EZ.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/proofs.de-CfxCV6EZ.js"),
    },
    File {
        path: "assets/session-CI8G3kwk.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/session-CI8G3kwk.js"),
    },
    File {
        path: "assets/theme-BQXR3n_a.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../dist/assets/theme-BQXR3n_a.css"),
    },
    File {
        path: "assets/theme-p82aIAEV.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/theme-p82aIAEV.js"),
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
        path: "assets/viewer-ly9gDQ52.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/viewer-ly9gDQ52.js"),
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
