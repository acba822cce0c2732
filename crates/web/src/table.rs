//! Written by `npm run build` in `ui/`; do not edit.

use crate::File;

/// Every file, by path.
pub static FILES: &[File] = &[
    File {
        path: "assets/actions-CmqtEWK-.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/actions-CmqtEWK-.js"),
    },
    File {
        path: "assets/console-CO-7vsVm.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/console-CO-7vsVm.js"),
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
        path: "assets/govern-o9vq-Oa8.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/govern-o9vq-Oa8.js"),
    },
    File {
        path: "assets/parts-BvyqfWvh.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/parts-BvyqfWvh.js"),
    },
    File {
        path: "assets/portal-u21frHrb.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/portal-u21frHrb.js"),
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
        path: "assets/verify-NcTgCY70.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/verify-NcTgCY70.js"),
    },
    File {
        path: "assets/verify-V_juDMwM.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/verify-V_juDMwM.js"),
    },
    File {
        path: "assets/viewer-ComBfTkb.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/viewer-ComBfTkb.js"),
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
