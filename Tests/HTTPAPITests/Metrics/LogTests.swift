import Foundation
import HTTPAPI
import Logging
import Synchronization
import SystemPackage
import Testing

@Suite("Log", .timeLimit(.minutes(2))) struct LogTests {
    /// A pipe and the bytes that its reader receives.
    private final class Pipe: Sendable {
        let writeEnd: FileDescriptor
        private let readEnd: FileDescriptor

        init() throws {
            signal(SIGPIPE, SIG_IGN)
            let ends = try FileDescriptor.pipe()
            (readEnd, writeEnd) = (ends.readEnd, ends.writeEnd)
        }

        func closeReader() throws { try readEnd.close() }

        /// Reads until the other end is closed.
        func lines() throws -> [String] {
            let handle = FileHandle(fileDescriptor: readEnd.rawValue, closeOnDealloc: false)
            let text = String(decoding: try handle.readToEnd() ?? Data(), as: UTF8.self)
            try readEnd.close()
            return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
        }
    }

    /// The lines that a format writes for log events.
    private func lines(_ format: LineLogHandler.Format, _ log: (Logger) -> Void) throws -> [String] {
        let pipe = try Pipe()
        let sink = LogSink(descriptor: pipe.writeEnd)
        log(Logger(label: "test") { LineLogHandler(label: $0, format: format, sink: sink) })
        #expect(sink.flush(within: 60_000))
        try pipe.writeEnd.close()
        return try pipe.lines()
    }

    private static let texts = [
        "plain", "", "two\nlines", "\r\n", "\u{0}", "quote \" backslash \\",
        String(decoding: [0xff, 0x41, 0xc3], as: UTF8.self),
        String(decoding: [0xd800 as UInt16, 0x41], as: UTF16.self), "\u{2028}\u{85}\u{7f}\u{1b}[2J", "}{", "ä日本🎬",
        String(repeating: "x", count: 20_000),
    ]

    @Test("every log event is one valid JSON object on one line, with all its content")
    func writesJSON() throws {
        let lines = try lines(.json) { logger in
            for text in Self.texts {
                logger.error(
                    "\(text)",
                    metadata: ["key": "\(text)", "k\(text.prefix(20))": "value", "level": "ours counts"]
                )
            }
        }
        #expect(lines.count == Self.texts.count)
        for (line, text) in zip(lines, Self.texts) {
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String])
            #expect(object["message"] == text && object["key"] == text && object["k\(text.prefix(20))"] == "value")
            #expect(object["level"] == "error" && object["logger"] == "test" && object["time"]?.hasSuffix("Z") == true)
        }
    }

    @Test("every log event is one line of text without control characters")
    func writesText() throws {
        let lines = try lines(.text) { logger in
            for text in Self.texts { logger.error("\(text)", metadata: ["key": "\(text)"]) }
        }
        #expect(lines.count == Self.texts.count)
        for line in lines {
            #expect(line.contains(" error test: ") && line.contains(" key="))
            #expect(line.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
        }
    }

    @Test("each thread's lines keep their order, and none is lost while there is room")
    func keepsOrder() throws {
        let pipe = try Pipe()
        let sink = LogSink(descriptor: pipe.writeEnd, capacity: 64 << 20)
        let reading = Mutex<[String]>([])
        let group = DispatchGroup()
        DispatchQueue.global().async(group: group) {
            let lines = (try? pipe.lines()) ?? []
            reading.withLock { $0 = lines }
        }
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            for number in 0..<5000 { sink.write(Array("\(thread) \(number)\n".utf8)) }
        }
        #expect(sink.flush(within: 60_000))
        try pipe.writeEnd.close()
        group.wait()
        let lines = reading.withLock { $0 }
        for thread in 0..<4 {
            let own = lines.filter { $0.hasPrefix("\(thread) ") }
            #expect(own == (0..<5000).map { "\(thread) \($0)" })
        }
        #expect(sink.dropped == 0)
    }

    @Test("a stalled reader loses whole lines, which are counted, and no writer waits")
    func dropsForFullPipe() throws {
        let pipe = try Pipe()
        let sink = LogSink(descriptor: pipe.writeEnd, capacity: 10_000)
        var total = 0
        func write(_ count: Int) {
            for number in total..<(total + count) { sink.write(Array("line \(number)\n".utf8)) }
            total += count
        }
        repeat { write(1000) } while sink.flush(within: 1000)
        let before = sink.dropped
        write(50_000)
        let dropped = sink.dropped
        #expect(dropped - before > 48_000, "the pipe is full")
        let reading = Mutex<[String]>([])
        let group = DispatchGroup()
        DispatchQueue.global().async(group: group) {
            let lines = (try? pipe.lines()) ?? []
            reading.withLock { $0 = lines }
        }
        #expect(sink.flush(within: 60_000))
        try pipe.writeEnd.close()
        group.wait()
        let numbers = reading.withLock { $0.compactMap { Int($0.dropFirst("line ".count)) } }
        #expect(numbers.count + sink.dropped == total && sink.dropped == dropped)
        #expect(numbers == numbers.sorted() && numbers.first == 0)
    }

    @Test("a closed reader and a full disk lose lines, which are counted")
    func dropsForClosedPipe() throws {
        let pipe = try Pipe()
        try pipe.closeReader()
        let disk = try FileDescriptor.open(FilePath("/dev/full"), .writeOnly)
        for descriptor in [pipe.writeEnd, disk] {
            let sink = LogSink(descriptor: descriptor)
            for number in 0..<100 { sink.write(Array("line \(number)\n".utf8)) }
            #expect(sink.flush(within: 60_000))
            #expect(sink.dropped == 100)
            try descriptor.close()
        }
    }

    @Test("a descriptor that failed is used again, on a new line")
    func recovers() throws {
        signal(SIGPIPE, SIG_IGN)
        let path = FileManager.default.temporaryDirectory.appending(path: "log-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let full = try FileDescriptor.open(FilePath("/dev/full"), .writeOnly)
        let file = try FileDescriptor.open(
            FilePath(path),
            .writeOnly,
            options: [.create],
            permissions: [.ownerReadWrite]
        )
        let target = try full.duplicate()
        let sink = LogSink(descriptor: target)
        sink.write(Array("lost\n".utf8))
        #expect(sink.flush(within: 60_000))
        _ = try file.duplicate(as: target)
        for line in ["kept", "kept too"] { sink.write(Array("\(line)\n".utf8)) }
        #expect(sink.flush(within: 60_000))
        #expect(sink.dropped == 1)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "\nkept\nkept too\n")
        for descriptor in [full, file, target] { try descriptor.close() }
    }
}
