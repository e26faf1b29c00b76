import Fleet
import Foundation
import Kernels
import NIOHTTP1
import Synchronization
import Testing

@Suite("bundle download") struct BundleDownloadTests {
    private let folder: TemporaryFolder
    private let server: FileServer
    private let content = CounterBasedGenerator(seed: 9, purpose: .simulation).uniforms(stream: 0, count: 300_000)
        .map { UInt8($0 * 255) }

    init() async throws {
        folder = try TemporaryFolder()
        server = try await FileServer()
    }

    private var release: Release {
        var release = makeRelease(1)
        release.sha256 = SHA256.digest(of: content)
        release.bytes = content.count
        release.file = "b.sqlite"
        return release
    }

    private func fetch(_ release: Release? = nil) async throws -> [UInt8] {
        let download = BundleDownload(folder: folder.path, client: StoreClient(signature: nil, patience: 300))
        let path = try await download.fetch(release ?? self.release, at: server.address("b.sqlite"))
        return try Array(Data(contentsOf: URL(filePath: path)))
    }

    /// The error of a failed download.
    private func failure(_ release: Release? = nil) async -> FleetError? {
        do {
            _ = try await fetch(release)
            return nil
        } catch { return error as? FleetError }
    }

    /// The bytes of the interrupted download that are on the disk.
    private var received: Int {
        let path = "\(folder.path)/\(release.sha256).part"
        return (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
    }

    private func isUnreachable(_ error: FleetError?) -> Bool { if case .unreachable = error { true } else { false } }

    @Test("a file arrives whole, once, and files of other releases leave")
    func whole() async throws {
        server.put("b.sqlite", content)
        for name in ["\(String(repeating: "f", count: 64)).sqlite", "old.part", "keep.txt", "lock"] {
            try Data("x".utf8).write(to: URL(filePath: folder.path + "/" + name))
        }
        #expect(try await fetch() == content)
        #expect(try await fetch() == content)
        #expect(server.requests("b.sqlite").count == 1)
        #expect(folder.files == [release.sha256 + ".sqlite", "keep.txt", "lock"].sorted())
    }

    @Test("an interrupted download continues where it ended, however often, and also in another process")
    func resumes() async throws {
        server.put("b.sqlite", content)
        server.state.withLock { $0.cuts = [70_000, 1, 100_000] }
        var expected: [String?] = [nil]
        for _ in 0..<3 {
            #expect(isUnreachable(await failure()))
            expected.append("bytes=\(received)-")
        }
        #expect((1...70_000).contains(Int(expected[1]?.filter(\.isNumber) ?? "") ?? 0))
        #expect(try await fetch() == content)
        let ranges = server.requests("b.sqlite").map { $0.headers.first(name: "range") }
        #expect(ranges == expected)
        let tag = server.state.withLock { $0.files["/b.sqlite"]?.tag }
        #expect(server.requests("b.sqlite").dropFirst().allSatisfy { $0.headers.first(name: "if-range") == tag })
    }

    @Test("a rest that is longer than any file is refused")
    func endless() async throws {
        server.put("b.sqlite", content)
        server.state.withLock { $0.cuts = [70_000] }
        #expect(isUnreachable(await failure()))
        server.state.withLock { $0.statedLength = .max }
        let error = await failure()
        guard case .wrongContent(_, let reason) = error else {
            Issue.record("another error: \(String(describing: error))")
            return
        }
        #expect(reason.contains("\(Int.max)") && reason.contains("\(content.count)"), "\(reason)")
    }

    @Test("a file that changed on the server, or a server without ranges, is downloaded from the start")
    func restarts() async throws {
        var other = content
        other[0] ^= 1
        server.put("b.sqlite", other)
        server.state.withLock { $0.cuts = [70_000] }
        #expect(isUnreachable(await failure()))
        server.put("b.sqlite", content)
        #expect(try await fetch() == content)

        try FileManager.default.removeItem(atPath: "\(folder.path)/\(release.sha256).sqlite")
        server.state.withLock { ($0.cuts, $0.ignoresRanges) = ([70_000], true) }
        #expect(isUnreachable(await failure()))
        #expect(try await fetch() == content)
    }

    @Test("a damaged beginning costs one more download, and a damaged finished file is fetched again")
    func mends() async throws {
        server.put("b.sqlite", content)
        server.state.withLock { $0.cuts = [70_000] }
        #expect(isUnreachable(await failure()))
        let start = received
        #expect(start > 0)
        let part = try FileHandle(forWritingTo: URL(filePath: "\(folder.path)/\(release.sha256).part"))
        try part.write(contentsOf: Data([content[0] ^ 1]))
        try part.close()
        #expect(try await fetch() == content)
        let ranges = server.requests("b.sqlite").map { $0.headers.first(name: "range") }
        #expect(ranges == [nil, "bytes=\(start)-", nil])

        try Data("broken".utf8).write(to: URL(filePath: "\(folder.path)/\(release.sha256).sqlite"))
        #expect(try await fetch() == content)
    }

    @Test("a file with another content, size or address is refused, and leaves nothing that would be used")
    func refuses() async throws {
        #expect(await failure() == .missing(address: server.address("b.sqlite").place, status: 404))
        var other = content
        other[200_000] ^= 1
        server.put("b.sqlite", other)
        guard case .wrongContent(_, let reason) = await failure() else {
            Issue.record("accepted another content")
            return
        }
        #expect(reason.contains("SHA-256"))
        server.put("b.sqlite", Array(content.dropLast()))
        guard case .wrongContent(_, let size) = await failure() else {
            Issue.record("accepted another size")
            return
        }
        #expect(size.contains("299999 bytes") && size.contains("300000"))
        server.put("b.sqlite", content)
        #expect(try await fetch() == content)
    }

    @Test("an answer without an entity tag is not continued, and an error of the server may pass")
    func withoutTag() async throws {
        server.put("b.sqlite", content)
        server.state.withLock { state in
            state.files["/b.sqlite"]?.tag = nil
            state.cuts = [70_000]
        }
        #expect(isUnreachable(await failure()))
        server.state.withLock { $0.status = 503 }
        #expect(isUnreachable(await failure()))
        server.state.withLock { $0.status = nil }
        #expect(try await fetch() == content)
        #expect(server.requests("b.sqlite").allSatisfy { !$0.headers.contains(name: "range") })
    }
}
