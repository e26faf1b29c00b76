import Foundation
package import Logging

/// Writes each log event as exactly one line to a ``LogSink``, whatever text the event holds.
package struct LineLogHandler: LogHandler {
    /// The format of a line.
    package enum Format: String, CaseIterable, Sendable {
        /// A JSON object with sorted keys: time, level, logger, message, error, and the metadata beside them.
        case json
        /// Time, level, logger, message and metadata, for people.
        case text
    }

    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    package var logLevel = Logger.Level.info
    private let label: String
    private let format: Format
    private let sink: LogSink

    /// A handler of the logger `label`.
    package init(label: String, format: Format, sink: LogSink) {
        self.label = label
        self.format = format
        self.sink = sink
    }

    package subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var fields: [String: String] = [:]
        let merged = metadata.merging(metadataProvider?.get() ?? [:]) { $1 }.merging(event.metadata ?? [:]) { $1 }
        for (key, value) in merged { fields[key] = "\(value)" }
        if let error = event.error { fields["error"] = "\(error)" }
        let time = Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        switch format {
        case .json:
            fields["time"] = time
            fields["level"] = event.level.rawValue
            fields["logger"] = label
            fields["message"] = "\(event.message)"
            sink.write(Self.object(fields))
        case .text:
            let head = "\(time) \(event.level.rawValue) \(label): \(event.message)"
            let tail = fields.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
            sink.write(Self.printable(head + tail))
        }
    }

    private static func object(_ fields: [String: String]) -> [UInt8] {
        var writer = JSONWriter()
        for (position, field) in fields.sorted(by: { $0.key < $1.key }).enumerated() {
            writer.raw(position == 0 ? "{" : ",")
            writer.string(field.key)
            writer.raw(":")
            writer.string(field.value)
        }
        writer.raw("}\n")
        return writer.bytes
    }

    /// The text as one line, without control characters that could end the line or move a terminal's cursor.
    private static func printable(_ text: String) -> [UInt8] {
        let scalars = text.unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{fffd}" : $0 }
        return Array("\(String(String.UnicodeScalarView(scalars)))\n".utf8)
    }
}
