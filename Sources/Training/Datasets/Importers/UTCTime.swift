import CheckpointStore

/// Parses times in the form of YooChoose's files, in UTC.
enum UTCTime {
    private static let shortest = "2014-04-07T10:51:09Z".utf8.count

    /// Whole seconds from 1970 to a time such as `2014-04-07T10:51:09.277Z` (ISO 8601; the fraction is dropped).
    ///
    /// Nil for other text, for times that do not exist, and where the `T` or the `Z` is missing.
    static func seconds(_ text: ArraySlice<UInt8>) -> Int? {
        guard text.count >= shortest, text.last == UInt8(ascii: "Z"),
            text[text.startIndex + 10] == UInt8(ascii: "T")
        else { return nil }
        return CalendarTime(text)?.seconds
    }
}
