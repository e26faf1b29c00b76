import Foundation

/// Reads the bytes of a file in order; decompresses with `gzip -dc` when its name ends in `.gz`.
final class ByteSource {
    private let file: String
    private let input: FileHandle
    private let archive: Archive?

    /// A running `gzip` and its standard error.
    private struct Archive {
        let process: Process
        let complaints: FileHandle
    }

    /// Opens a file.
    init(file: String) throws(CSVError) {
        self.file = file
        let opened: FileHandle
        do {
            opened = try FileHandle(forReadingFrom: URL(fileURLWithPath: file))
        } catch {
            throw CSVError.unreadable(file: file, reason: Self.reason(error))
        }
        guard file.hasSuffix(".gz") else {
            input = opened
            archive = nil
            return
        }
        let (output, complaints) = (Pipe(), Pipe())
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["gzip", "-dc"]
        process.standardInput = opened
        process.standardOutput = output
        process.standardError = complaints
        do {
            try process.run()
        } catch {
            throw CSVError.damagedArchive(file: file, reason: "gzip did not start (\(Self.reason(error)))")
        }
        input = output.fileHandleForReading
        archive = Archive(process: process, complaints: complaints.fileHandleForReading)
    }

    deinit {
        if let process = archive?.process, process.isRunning { process.terminate() }
    }

    /// Up to `count` more bytes; empty only at the end of a complete file.
    func read(upTo count: Int) throws(CSVError) -> [UInt8] {
        let read: Data?
        do {
            read = try input.read(upToCount: count)
        } catch {
            throw .unreadable(file: file, reason: Self.reason(error))
        }
        if let read, !read.isEmpty { return [UInt8](read) }
        try requireWholeArchive()
        return []
    }

    private func requireWholeArchive() throws(CSVError) {
        guard let archive else { return }
        archive.process.waitUntilExit()
        guard archive.process.terminationReason != .exit || archive.process.terminationStatus != 0 else { return }
        let said = (try? archive.complaints.readToEnd()) ?? Data()
        let text = String(decoding: said, as: UTF8.self)
            .split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty }.joined(separator: "; ")
        let status = "gzip ended with status \(archive.process.terminationStatus)"
        throw .damagedArchive(file: file, reason: text.isEmpty ? status : text)
    }

    /// The system's error message, if there is one.
    static func reason(_ error: any Error) -> String {
        let error = error as NSError
        let underlying = error.userInfo[NSUnderlyingErrorKey] as? NSError
        let text = (underlying ?? error).localizedDescription
        return text.hasSuffix(".") ? String(text.dropLast()) : text
    }
}
