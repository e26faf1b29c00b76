/// A time in a form that is not read, but that a command can convert.
enum ConvertibleTime: Equatable {
    /// Day, month and year, such as `31.01.2024`; nil where either may come first.
    case yearLast(divider: String, isDayFirst: Bool?)
    /// The name of the month and a year of two digits, such as `12-Mar-24`.
    case shortYear
    /// A time with the name of its zone, such as `2025-03-03 16:40:56 Europe/Paris`.
    case namedZone(String)
    /// A day of a week of ISO 8601, such as `2023-W33-7`.
    case weekDate

    /// The form of a text; nil for other texts.
    init?(_ text: String) {
        if let match = text.prefixMatch(of: /(\d\d?)([.\/\-])(\d\d?)[.\/\-]\d{4}(?![\d\p{L}])/) {
            let (first, second) = (Int(match.output.1) ?? 0, Int(match.output.3) ?? 13)
            let divider = String(match.output.2)
            let isDayFirst: Bool? =
                if first > 12 || (divider == "." && second <= 12) { true } else if second > 12 { false } else { nil }
            self = .yearLast(divider: divider, isDayFirst: isDayFirst)
        } else if text.prefixMatch(of: /\d\d?[ \-\/][A-Za-z]{3,9}[ \-\/]\d\d(?!\d)/) != nil {
            self = .shortYear
        } else if text.prefixMatch(of: /\d{4}-?W\d\d-?[1-7](?!\d)/) != nil {
            self = .weekDate
        } else if let match = text.prefixMatch(of: /\d{4}-\d\d-\d\d.*?[ \[]([A-Z][A-Za-z]+\/[A-Za-z_\/\-]+)\]?$/) {
            self = .namedZone(String(match.output.1))
        } else {
            return nil
        }
    }

    /// The next step; begins with a space.
    var advice: String {
        switch self {
        case .yearLast(let divider, let isDayFirst):
            let divider = divider == "." ? "\\." : divider
            let pattern = "([0-9]{1,2})\(divider)([0-9]{1,2})\(divider)([0-9]{4})"
            let (dayFirst, monthFirst) = ("\\3-\\2-\\1", "\\3-\\1-\\2")
            func command(_ order: String) -> String {
                " Write the year first, for example with `sed -E '1!s|\(pattern)|\(order)|'`"
            }
            let reading =
                " Such dates are read from a file, not from a pipe or a query, if one of them shows whether the day or the "
                + "month comes first, as 31/01/2024 does."
            return switch isDayFirst {
            case true?: reading + command(dayFirst) + "."
            case false?: reading + command(monthFirst) + "."
            case nil:
                reading + command(monthFirst)
                    + " if the month comes first here, or with `\(dayFirst)` at its end if the day does."
            }
        case .shortYear:
            return " Write the year with four digits, for example with "
                + "`sed -E '1!s#\\b([0-9]{1,2}[-/ ][A-Za-z]{3,9}[-/ ])([0-9]{2})\\b#\\120\\2#'`."
        case .namedZone(let zone):
            return " It names the zone '\(zone)'. If all times are of one zone, remove the name, for example with "
                + "`sed -E 's# ?\\[?\(zone)\\]?##'`: a time without a zone counts as UTC, and the order stays the same except in "
                + "the hour that clocks repeat. Otherwise write all times in UTC."
        case .weekDate:
            return " It is a date by its week. Write days, for example with `python3 -c 'import datetime, re, sys; "
                + "[print(re.sub(r\"\\b(\\d{4})-?W(\\d\\d)-?([1-7])\\b\", lambda m: str(datetime.date.fromisocalendar(*map(int, "
                + "m.groups()))), line), end=\"\") for line in sys.stdin]' < LOG > DATED`."
        }
    }
}
