import CheckpointStore

/// Dates that are written as digits alone, such as `20240131` or `20240131100000`.
///
/// A number does not tell whether it is one; a column does, if all its numbers are dates that exist.
package enum DigitDate {
    /// The seconds since 1970 of `YYYYMMDD`, `YYYYMMDDhhmm` or `YYYYMMDDhhmmss` of the years 1900 to 2199; nil for other
    /// numbers.
    package static func seconds(_ number: Timestamp) -> Int? {
        // Dividing by the power of ten of the time of the day leaves the date.
        for timeOfDay in [1, 10_000, 1_000_000] {
            guard number.remainder == 0, let value = Int(exactly: number.nearest),
                19_000_101...21_991_231 ~= value / timeOfDay
            else { continue }
            let digits = "\(value)" + (timeOfDay == 10_000 ? "00" : "")
            var rest = digits[...]
            func take(_ count: Int) -> Substring {
                defer { rest = rest.dropFirst(count) }
                return rest.prefix(count)
            }
            var text = "\(take(4))-\(take(2))-\(take(2))"
            if !rest.isEmpty { text += " \(take(2)):\(take(2)):\(take(2))" }
            return CalendarTime(Array(text.utf8)[...])?.seconds
        }
        return nil
    }
}
