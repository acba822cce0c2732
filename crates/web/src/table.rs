//! Written by `npm run build` in `ui/`; do not edit.

use crate::File;

/// Every file, by path.
pub static FILES: &[File] = &[
    File {
        path: "assets/about-CDUuhZFg.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/about-CDUuhZFg.js"),
    },
    File {
        path: "assets/admin.de-BtZ9sfeA.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/admin.de-BtZ9sfeA.js"),
    },
    File {
        path: "assets/client-ChfFWPbO.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/client-ChfFWPbO.js"),
    },
    File {
        path: "assets/connect-BS68rNqB.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/connect-BS68rNqB.js"),
    },
    File {
        path: "assets/connect.de-BByqypig.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/connect.de-BByqypig.js"),
    },
    File {
        path: "assets/console-D7egHKCV.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/console-D7egHKCV.js"),
    },
    File {
        path: "assets/console.de-BmrEmYCR.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/console.de-BmrEmYCR.js"),
    },
    File {
        path: "assets/copy-B0P398id.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/copy-B0P398id.js"),
    },
    File {
        path: "assets/copy-CB4f5ndE.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/copy-CB4f5ndE.js"),
    },
    File {
        path: "assets/count-BkNP2aXM.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/count-BkNP2aXM.js"),
    },
    File {
        path: "assets/de-FAiykmY2.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/de-FAiykmY2.js"),
    },
    File {
        path: "assets/extras-CKgwUpEH.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/extras-CKgwUpEH.js"),
    },
    File {
        path: "assets/extras-DpwMF5fK.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/extras-DpwMF5fK.js"),
    },
    File {
        path: "assets/inputs-D4uei8wf.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/inputs-D4uei8wf.js"),
    },
    File {
        path: "assets/later-BGRII3G1.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/later-BGRII3G1.js"),
    },
    File {
        path: "assets/more.de-B4woj6bO.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/more.de-B4woj6bO.js"),
    },
    File {
        path: "assets/parse-BiekiMsX.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/parse-BiekiMsX.js"),
    },
    File {
        path: "assets/parts-DVdHVCzi.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/parts-DVdHVCzi.js"),
    },
    File {
        path: "assets/portal-BNQIf9VK.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/portal-BNQIf9VK.js"),
    },
    File {
        path: "assets/proofs.de-B4xf5Pps.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/proofs.de-B4xf5Pps.js"),
    },
    File {
        path: "assets/theme-B9ON4pGz.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/theme-B9ON4pGz.js"),
    },
    File {
        path: "assets/theme-C2kMOd9r.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../dist/assets/theme-C2kMOd9r.css"),
    },
    File {
        path: "assets/verify-BAmeuXLm.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/verify-BAmeuXLm.js"),
    },
    File {
        path: "assets/verify-C2nu_HsJ.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/verify-C2nu_HsJ.js"),
    },
    File {
        path: "assets/view-4JcniGWV.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/view-4JcniGWV.js"),
    },
    File {
        path: "assets/view-DZSubEh0.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/view-DZSubEh0.js"),
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
