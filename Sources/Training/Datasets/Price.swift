import Foundation

/// An amount of money as people write it, such as `$1.50` or `1,299.00 €`.
struct Price {
    /// The sign or the code of the currency.
    let currency: String
    private let isNegative: Bool
    /// Digits with points and commas.
    private let amount: String

    private static let codes = [
        "USD", "EUR", "GBP", "JPY", "CHF", "CNY", "INR", "CAD", "AUD", "SEK", "NOK", "DKK", "PLN",
    ]

    /// Reads an amount with one currency before or after it; nil for other text, and for a number alone.
    init?(_ field: ArraySlice<UInt8>) {
        let text = String(decoding: field, as: UTF8.self)
        let isDigit = { (letter: Character) in letter.isASCII && letter.isNumber }
        guard text.utf8.count <= 40, let first = text.firstIndex(where: isDigit),
            let last = text.lastIndex(where: isDigit)
        else { return nil }
        // A sign stands before the digits; a minus among them or behind them makes a range or a code.
        let before = text[..<first].filter { !$0.isWhitespace }
        let after = text[text.index(after: last)...].filter { !$0.isWhitespace }
        isNegative = before.contains("-")
        currency =
            (before.first == "-" ? String(before.dropFirst()) : before.last == "-" ? String(before.dropLast()) : before)
            + after
        // Blanks divide thousands.
        let groups = text[first...last].split(omittingEmptySubsequences: false, whereSeparator: \.isWhitespace)
        let areThousands = groups.dropFirst().allSatisfy { $0.prefix(while: isDigit).count == 3 }
        guard groups.count == 1 || 1...3 ~= groups[0].count && areThousands else { return nil }
        amount = groups.joined()
        guard amount.allSatisfy({ isDigit($0) || $0 == "." || $0 == "," }) else { return nil }
        let isSign = currency.count == 1 && currency.unicodeScalars.first?.properties.generalCategory == .currencySymbol
        guard isSign || Self.codes.contains(currency.uppercased()) else { return nil }
    }

    /// The decimal mark that the amount shows; nil if it shows none, as `12` and `1,299`.
    var mark: Character? {
        let marks = amount.filter { !$0.isNumber }
        guard let last = marks.last else { return nil }
        if Set(marks).count == 2 { return last }
        if marks.count > 1 { return last == "," ? "." : "," }
        return amount.reversed().prefix(while: \.isNumber).count == 3 ? nil : last
    }

    /// Whether the amount is one number with a decimal point and another with a decimal comma.
    var isAmbiguous: Bool { mark == nil && !amount.allSatisfy(\.isNumber) }

    /// The number, if `mark` is the decimal mark and the other one divides thousands; nil if that does not fit.
    func value(mark: Character) -> Double? {
        let parts = amount.split(separator: mark, omittingEmptySubsequences: false)
        guard let whole = parts.first, parts.count <= 2 else { return nil }
        let groups = whole.split(omittingEmptySubsequences: false) { !$0.isNumber }
        guard groups.count == 1 || 1...3 ~= groups[0].count && groups.dropFirst().allSatisfy({ $0.count == 3 })
        else { return nil }
        let fraction = parts.count == 2 ? "." + parts[1] : ""
        return Double((isNegative ? "-" : "") + groups.joined() + fraction)
    }
}

/// How the amounts of a column are written.
struct PriceForm: Equatable {
    /// The currency of all amounts.
    let currency: String
    /// The decimal mark; nil if an amount such as `1,299` leaves it open, or amounts contradict each other.
    let mark: Character?

    /// The form of some texts; nil unless all are amounts of one currency.
    init?(_ texts: some Collection<ArraySlice<UInt8>>) {
        var (currency, marks, isOpen): (String?, Set<Character>, Bool) = (nil, [], false)
        for text in texts {
            guard let price = Price(text), currency == nil || currency == price.currency else { return nil }
            currency = price.currency
            if let mark = price.mark { marks.insert(mark) }
            isOpen = isOpen || price.isAmbiguous
        }
        guard let currency else { return nil }
        self.currency = currency
        let mark = marks.isEmpty && !isOpen ? "." : marks.count == 1 ? marks.first : nil
        let fits = mark.map { mark in texts.allSatisfy { Price($0)?.value(mark: mark) != nil } } ?? false
        self.mark = fits ? mark : nil
    }
}
