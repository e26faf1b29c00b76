import CheckpointStore
import Fleet
import Foundation
import Kernels
import NIOHTTP1
import Synchronization
import TestSupport
import Testing

@Suite("publication") struct PublicationTests {
    private let folder: TemporaryFolder
    private let store: CheckpointStore

    init() throws {
        folder = try TemporaryFolder()
        store = try CheckpointStore(path: folder.path + "/store.sqlite")
        for version in 1...3 { _ = try store.publish(makeCheckpoint(version: version)) }
    }

    private func publish(
        _ version: Int,
        to place: String,
        share: Double = 100,
        keeping: Int = 10,
        signature: RequestSignature? = nil
    )
        async throws -> Release
    {
        var stage = Publication.Stage()
        stage.share = share
        let publication = Publication(to: place, client: StoreClient(signature: signature, patience: 300))
        return try await publication.publish(version, of: "m", from: store, stage: stage, keeping: keeping)
    }

    @Test("a folder holds the index and the files that it names, and nothing else")
    func folders() async throws {
        let place = folder.path + "/site"
        for version in 1...3 { _ = try await publish(version, to: place, keeping: 2) }
        let again = try await publish(3, to: place, share: 10, keeping: 2)
        let index = try ReleaseIndex(json: Data(contentsOf: URL(filePath: place + "/index.json")))
        #expect(index.releases.map(\.version) == [2, 3] && index.releases.last == again)
        // The same version gives the same file, so a new stage is no new release.
        #expect(again.sequence == 3 && again.share == 10)
        let files = try FileManager.default.contentsOfDirectory(atPath: place + "/bundles").sorted()
        #expect(files.map { "bundles/" + $0 } == index.releases.map(\.file).sorted())
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: place).sorted() == [
                ".publish.lock", "bundles", "index.json",
            ]
        )
        for release in index.releases {
            #expect(try SHA256.digest(ofFile: place + "/" + release.file) == release.sha256)
            let target = try CheckpointStore(path: folder.path + "/target-\(release.version).sqlite")
            #expect(try target.importVersion(from: place + "/" + release.file).version == release.version)
        }
    }

    @Test("an object store gets the same files by signed requests, the index last")
    func objectStore() async throws {
        let server = try await FileServer()
        let signature = RequestSignature(accessKey: "key", secretKey: "secret", region: "eu-west-1")
        let place = server.address("bucket/shop").string ?? ""
        let releases = [
            try await publish(1, to: place, keeping: 1, signature: signature),
            try await publish(2, to: place + "/", keeping: 1, signature: signature),
        ]
        let index = try ReleaseIndex(json: Data(try #require(server.content("bucket/shop/index.json"))))
        #expect(index.releases == [releases[1]])
        let content = try #require(server.content("bucket/shop/" + releases[1].file))
        #expect(SHA256.digest(of: content) == releases[1].sha256 && content.count == releases[1].bytes)
        #expect(server.content("bucket/shop/" + releases[0].file) == nil)

        let requests = server.state.withLock { $0.requests }
        #expect(requests.map(\.method.rawValue) == ["PUT", "GET", "PUT", "PUT", "GET", "PUT", "DELETE"])
        for request in requests {
            let url = try #require(URLComponents(string: "http://x" + request.path))
            let fields = ["host", "x-amz-content-sha256", "x-amz-date"].map {
                ($0, request.headers.first(name: $0) ?? "")
            }
            let date = try #require(Date.withoutPunctuation(fields[2].1))
            let payload = SHA256.digest(of: request.body)
            #expect(fields[1].1 == payload)
            let expected = signature.authorization(request.method.rawValue, url, fields, payload: payload, at: date)
            #expect(request.headers.first(name: "authorization") == expected)
        }
    }

    @Test("an index that another publisher changes meanwhile is read again, and a refusal is an error")
    func conditions() async throws {
        let server = try await FileServer()
        let place = server.address("").string ?? ""
        _ = try await publish(1, to: place)
        let tag = server.state.withLock { $0.files["/index.json"]?.tag }
        _ = try await publish(2, to: place)
        let puts = server.requests("index.json").filter { $0.method == .PUT }
        #expect(puts.map { $0.headers.first(name: "if-none-match") } == ["*", nil])
        #expect(puts.map { $0.headers.first(name: "if-match") } == [nil, tag])
        server.state.withLock { $0.status = 403 }
        await #expect(throws: FleetError.self) { try await publish(3, to: place) }
        server.state.withLock { $0.status = nil }
        let index = try ReleaseIndex(json: Data(try #require(server.content("index.json"))))
        #expect(index.releases.map(\.version) == [1, 2])
    }
}

extension Date {
    /// The time of a field such as 20130524T000000Z.
    fileprivate static func withoutPunctuation(_ text: String) -> Date? {
        let digits = text.filter(\.isNumber).map { String($0) }
        guard digits.count == 14 else { return nil }
        func part(_ range: Range<Int>) -> String { digits[range].joined() }
        let iso = "\(part(0..<4))-\(part(4..<6))-\(part(6..<8))T\(part(8..<10)):\(part(10..<12)):\(part(12..<14))Z"
        return try? Date(iso, strategy: .iso8601)
    }
}
