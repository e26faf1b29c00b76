import Kernels
import Testing
import Training

/// Reads the text of an events file.
enum EventsFile {
    static func load(
        _ text: String,
        columns: EventColumns = EventColumns(),
        name: String = "rows.csv"
    ) throws -> (data: InteractionDataset, items: [String]) {
        var vocabulary = ItemVocabulary()
        let data = try withFile(text, name: name) {
            try InteractionDataset.load(events: $0, columns: columns, vocabulary: &vocabulary)
        }
        return (data, vocabulary.ids)
    }

    /// The error of a file, with `F` for its path.
    static func refusal(_ bytes: [UInt8], columns: EventColumns = EventColumns()) throws -> String {
        try withFile(bytes) { path in
            var vocabulary = ItemVocabulary()
            let error = #expect(throws: CSVError.self) {
                try InteractionDataset.load(events: path, columns: columns, vocabulary: &vocabulary)
            }
            return "\(error.map(String.init(describing:)) ?? "")".replacing(path, with: "F")
        }
    }

    static func refusal(_ text: String, columns: EventColumns = EventColumns()) throws -> String {
        try refusal(Array(text.utf8), columns: columns)
    }

    static func sequences(_ loaded: (data: InteractionDataset, items: [String])) -> [String: [String]] {
        let rows = loaded.data.sequences
        return Dictionary(
            uniqueKeysWithValues: loaded.data.userIDs.enumerated().map { user, id in
                (id, rows[user].map { loaded.items[Int($0)] })
            }
        )
    }
}
