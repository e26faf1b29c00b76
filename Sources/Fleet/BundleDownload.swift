import AsyncHTTPClient
package import Foundation
package import Kernels
import NIOCore
import NIOHTTP1

/// Downloads exported versions into a folder, and continues after an interruption.
///
/// A file is `SHA256.sqlite` once it is complete and checked. Before that it is `SHA256.part`, and `SHA256.tag` holds
/// its entity tag, so that another process can continue. The caller makes sure that one process uses the folder.
package struct BundleDownload {
    private let folder: String
    private let client: StoreClient

    /// Downloads into a folder.
    package init(folder: String, client: StoreClient) {
        self.folder = folder
        self.client = client
    }

    /// Fetches the file of a release; other releases' files leave the folder.
    ///
    /// - Returns: The path of the file, which has the release's SHA-256.
    /// - Throws: ``FleetError``. After ``FleetError/unreachable(address:reason:)`` the next call continues.
    package func fetch(_ release: Release, at address: URLComponents) async throws(FleetError) -> String {
        let finished = path(release, "sqlite")
        if FileManager.default.fileExists(atPath: finished) {
            if try digest(of: finished) == release.sha256 { return finished }
            remove(finished)
        }
        removeOthers(than: release)
        let part = path(release, "part")
        var wasContinued = try await download(release, at: address, to: part)
        while try digest(of: part) != release.sha256 {
            remove(part)
            // The old beginning may be the damaged part.
            guard wasContinued else {
                throw .wrongContent(address: address.place, reason: "its SHA-256 is not the one in the index")
            }
            wasContinued = try await download(release, at: address, to: part)
        }
        do {
            try DurableFile.move(part, to: finished)
        } catch {
            throw .notWritten(path: finished, reason: "\(error)")
        }
        remove(path(release, "tag"))
        return finished
    }

    /// Downloads the missing bytes.
    ///
    /// - Returns: Whether there were earlier bytes.
    private func download(
        _ release: Release,
        at address: URLComponents,
        to part: String
    ) async throws(FleetError) -> Bool {
        let place = address.place
        let tagFile = path(release, "tag")
        // Without a tag nothing says that the server still has the same file.
        let tag = try? String(contentsOfFile: tagFile, encoding: .utf8)
        var start = tag == nil ? 0 : size(of: part)
        if start == release.bytes { return true }
        if start > release.bytes { start = 0 }
        let condition = start > 0 ? [("range", "bytes=\(start)-"), ("if-range", tag ?? "")] : []
        let answer = try await client.send(.GET, address, condition)
        switch answer.status.code {
        case 200: start = 0
        case 206 where start > 0 && answer.headers.first(name: "content-range")?.hasPrefix("bytes \(start)-") == true:
            break
        case 404, 410: throw .missing(address: place, status: Int(answer.status.code))
        case 206, 416:
            remove(part)
            throw .unreachable(address: place, reason: "the server gave another part than the one asked for")
        default: throw .unreachable(address: place, reason: "status \(answer.status.code)")
        }
        if let length = answer.headers.first(name: "content-length").flatMap(Int.init), length != release.bytes - start
        {
            throw .wrongContent(
                address: place,
                reason: "it has \(length) bytes from byte \(start) on, but the index says \(release.bytes) in all"
            )
        }
        let strongTag = answer.headers.first(name: "etag").flatMap { $0.hasPrefix("W/") ? nil : $0 }
        let file: FileHandle
        do {
            file = try open(part, at: start)
            if let strongTag { try Data(strongTag.utf8).write(to: URL(filePath: tagFile)) } else { remove(tagFile) }
        } catch {
            throw .notWritten(path: part, reason: "\(error)")
        }
        defer { try? file.close() }
        try await append(answer.body, to: file, release, from: start, place)
        return start > 0
    }

    private func append(
        _ body: HTTPClientResponse.Body,
        to file: FileHandle,
        _ release: Release,
        from start: Int,
        _ place: String
    ) async throws(FleetError) {
        var count = start
        var parts = body.makeAsyncIterator()
        while true {
            let buffer: ByteBuffer?
            do { buffer = try await parts.next() } catch {
                throw .unreachable(address: place, reason: "ended after \(count) of \(release.bytes) bytes: \(error)")
            }
            guard let buffer else { break }
            count += buffer.readableBytes
            guard count <= release.bytes else {
                throw .wrongContent(address: place, reason: "it has more than the \(release.bytes) bytes of the index")
            }
            do { try file.write(contentsOf: Data(buffer.readableBytesView)) } catch {
                throw .notWritten(path: folder, reason: "\(error)")
            }
        }
        guard count == release.bytes else {
            throw .unreachable(address: place, reason: "ended after \(count) of \(release.bytes) bytes")
        }
    }

    // MARK: Files

    private func path(_ release: Release, _ suffix: String) -> String { "\(folder)/\(release.sha256).\(suffix)" }

    private func open(_ path: String, at start: Int) throws -> FileHandle {
        if !FileManager.default.fileExists(atPath: path) { try Data().write(to: URL(filePath: path)) }
        let file = try FileHandle(forWritingTo: URL(filePath: path))
        try file.truncate(atOffset: UInt64(start))
        return file
    }

    private func size(of path: String) -> Int {
        (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
    }

    private func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }

    private func removeOthers(than release: Release) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
            let isOurs = ["sqlite", "part", "tag"].contains { name.hasSuffix("." + $0) }
            if isOurs, !name.hasPrefix(release.sha256) { remove("\(folder)/\(name)") }
        }
    }

    private func digest(of path: String) throws(FleetError) -> String {
        do { return try SHA256.digest(ofFile: path) } catch { throw .notWritten(path: path, reason: "\(error)") }
    }
}

extension SHA256 {
    /// The digest of a file, in hexadecimal digits.
    package static func digest(ofFile path: String) throws -> String {
        let file = try FileHandle(forReadingFrom: URL(filePath: path))
        defer { try? file.close() }
        var hash = SHA256()
        while let data = try file.read(upToCount: 1 << 20), !data.isEmpty { hash.update(Array(data).span) }
        return hash.finalize().hexadecimal
    }
}
