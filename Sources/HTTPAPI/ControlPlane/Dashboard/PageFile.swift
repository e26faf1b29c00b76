import HTTPTypes
import Hummingbird

/// A file of the dashboard's page, embedded in the program.
struct PageFile {
    /// The file's path on the control plane.
    let path: String
    private let mediaType: String
    private let bytes: [UInt8]

    /// The page and all files that it loads.
    static let all = [
        PageFile(path: "/", mediaType: "text/html; charset=utf-8", bytes: PackageResources.dashboard_html),
        PageFile(path: "/dashboard.css", mediaType: "text/css; charset=utf-8", bytes: PackageResources.dashboard_css),
        script("dashboard", PackageResources.dashboard_js),
        script("elements", PackageResources.elements_js),
        script("map", PackageResources.map_js),
        script("query", PackageResources.query_js),
        script("server", PackageResources.server_js),
        script("traffic", PackageResources.traffic_js),
        script("versions", PackageResources.versions_js),
    ]

    private static func script(_ name: String, _ bytes: [UInt8]) -> PageFile {
        PageFile(path: "/\(name).js", mediaType: "text/javascript; charset=utf-8", bytes: bytes)
    }

    /// The answer with the file.
    var response: Response {
        Response(
            status: .ok,
            headers: [.contentType: mediaType, .contentSecurityPolicy: Self.policy],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }

    /// The page may only load its own files and call its own server.
    private static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        + "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
}
