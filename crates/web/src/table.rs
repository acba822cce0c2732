//! Written by `npm run build` in `ui/`; do not edit.

use crate::File;

/// Every file, by path.
pub static FILES: &[File] = &[
    File {
        path: "assets/actions-C0fazUx3.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/actions-C0fazUx3.js"),
    },
    File {
        path: "assets/console-Bjh557Vi.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/console-Bjh557Vi.js"),
    },
    File {
        path: "assets/console.de-P_mAOCuv.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/console.de-P_mAOCuv.js"),
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
        path: "assets/govern-CrwvgF_Y.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/govern-CrwvgF_Y.js"),
    },
    File {
        path: "assets/parts-C3egM1t7.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/parts-C3egM1t7.js"),
    },
    File {
        path: "assets/portal-D1qTOFdB.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/portal-D1qTOFdB.js"),
    },
    File {
        path: "assets/proofs.de-CfxCV6EZ.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/proofs.de-CfxCV6EZ.js"),
    },
    File {
        path: "assets/router-PRSDrSX6.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/router-PRSDrSX6.js"),
    },
    File {
        path: "assets/theme-2eG-DxD0.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/theme-2eG-DxD0.js"),
    },
    File {
        path: "assets/theme-XhabWo-s.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../dist/assets/theme-XhabWo-s.css"),
    },
    File {
        path: "assets/verify-DxM3Ep21.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/verify-DxM3Ep21.js"),
    },
    File {
        path: "assets/verify-Z_LGGxEo.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/verify-Z_LGGxEo.js"),
    },
    File {
        path: "assets/viewer-cbTgMpiq.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/viewer-cbTgMpiq.js"),
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
