import Foundation
import HTTPAPI
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing

/// An answer of the control plane.
struct Reply {
    let status: Int
    let json: [String: Any]
    let headers: [String: String]
}

/// Calls the control plane's router without a socket.
func ask(_ plane: ControlPlane, _ method: String, _ path: String, authorization: String?) async throws -> Reply {
    let headers: HTTPFields = authorization.map { [.authorization: $0] } ?? [:]
    let method = try #require(HTTPRequest.Method(rawValue: method))
    return try await Application(router: plane.router()).test(.router) { client in
        try await client.execute(uri: path, method: method, headers: headers) { response in
            let object = try JSONSerialization.jsonObject(with: Data(response.body.readableBytesView))
            return Reply(
                status: response.status.code,
                json: try #require(object as? [String: Any]),
                headers: Dictionary(response.headers.map { ($0.name.canonicalName, $0.value) }) { first, _ in first }
            )
        }
    }
}

/// The body of an answer of the control plane.
func answerBody(of plane: ControlPlane, _ path: String) async throws -> [UInt8] {
    try await Application(router: plane.router()).test(.router) { client in
        try await client.execute(uri: path, method: .get) { Array($0.body.readableBytesView) }
    }
}
