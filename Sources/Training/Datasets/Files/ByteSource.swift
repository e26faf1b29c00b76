import CheckpointStore
import Foundation

/// The bytes of a file, of standard input or of a query's rows, in order.
///
/// A file whose name ends in `.gz` or `.zst` is decompressed by `gzip -dc` or `zstd -dc`.
final class ByteSource {
    /// The file as the caller named it.
    let name: String
    private let input: Input

    private enum Input {
        case file(FileHandle, Decompression?)
        case rows((Int) throws -> [UInt8])
    }

    /// A running decompressor and its standard error.
    private struct Decompression {
        let program: String
        let process: Process
        let complaints: FileHandle
    }

    /// The programs that decompress, by the ending of a name.
    static let decompressors = [".gz": "gzip", ".zst": "zstd"]

    /// The program that decompresses a file; nil for a plain one.
    static func decompressor(of file: String) -> String? {
        decompressors.first { file.hasSuffix($0.key) }?.value
    }

    /// Opens a file.
    init(file: String) throws(CSVError) {
        name = file
        let opened: FileHandle
        do {
            opened = try FileHandle(forReadingFrom: URL(fileURLWithPath: file))
        } catch {
            throw CSVError.unreadable(file: file, reason: Self.reason(error))
        }
        guard let program = Self.decompressor(of: file) else {
            input = .file(opened, nil)
            return
        }
        let (output, complaints) = (Pipe(), Pipe())
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program, "-dc"]
        process.standardInput = opened
        process.standardOutput = output
        process.standardError = complaints
        do {
            try process.run()
        } catch {
            throw CSVError.damagedArchive(file: file, reason: "\(program) did not start (\(Self.reason(error)))")
        }
        input = .file(
            output.fileHandleForReading,
            Decompression(program: program, process: process, complaints: complaints.fileHandleForReading)
        )
    }

    /// Reads an open file, such as standard input.
    init(name: String, _ file: FileHandle) {
        self.name = name
        input = .file(file, nil)
    }

    /// Reads the rows of a query as RFC 4180 text.
    ///
    /// - Parameters:
    ///   - name: The name of the database.
    ///   - rows: Gives about as many more bytes as it is asked for; none at the end.
    init(name: String, rows: @escaping (Int) throws -> [UInt8]) {
        self.name = name
        input = .rows(rows)
    }

    deinit {
        if case .file(_, let archive?) = input, archive.process.isRunning { archive.process.terminate() }
    }

    /// Up to about `count` more bytes; empty only at the end of a complete file.
    func read(upTo count: Int) throws(CSVError) -> [UInt8] {
        switch input {
        case .rows(let rows):
            do {
                return try rows(count)
            } catch {
                throw .failedQuery(database: name, error)
            }
        case .file(let file, let archive):
            let read: Data?
            do {
                read = try file.read(upToCount: count)
            } catch {
                throw .unreadable(file: name, reason: Self.reason(error))
            }
            if let read, !read.isEmpty { return [UInt8](read) }
            if let archive { try requireWhole(archive) }
            return []
        }
    }

    private func requireWhole(_ archive: Decompression) throws(CSVError) {
        archive.process.waitUntilExit()
        let status = archive.process.terminationStatus
        guard archive.process.terminationReason != .exit || status != 0 else { return }
        // The status of `env` for a program that it cannot find.
        if status == 127 {
            throw .unreadable(
                file: name,
                reason: "the program '\(archive.program)' is not installed; install it, or decompress the file first"
            )
        }
        let said = (try? archive.complaints.readToEnd()) ?? Data()
        let text = String(decoding: said, as: UTF8.self)
            .split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty }.joined(separator: "; ")
        throw .damagedArchive(
            file: name,
            reason: text.isEmpty ? "\(archive.program) ended with status \(status)" : text
        )
    }

    /// The system's error message, if there is one.
    static func reason(_ error: any Error) -> String {
        if let failure = error as? QueryFailure { return failure.reason }
        let error = error as NSError
        let underlying = error.userInfo[NSUnderlyingErrorKey] as? NSError
        let text = (underlying ?? error).localizedDescription
        return text.hasSuffix(".") ? String(text.dropLast()) : text
    }
}
