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
        var text = String(decoding: field, as: UTF8.self).filter { !$0.isWhitespace }[...]
        guard text.utf8.count <= 40 else { return nil }
        isNegative = text.contains("-")
        if let sign = text.firstIndex(of: "-") { text = (text[..<sign] + text[text.index(after: sign)...])[...] }
        let isPart = { (letter: Character) in letter.isASCII && letter.isNumber || letter == "." || letter == "," }
        guard let first = text.firstIndex(where: isPart), let last = text.lastIndex(where: isPart) else { return nil }
        (currency, amount) = (String(text[..<first] + text[text.index(after: last)...]), String(text[first...last]))
        guard amount.allSatisfy(isPart), amount.first?.isNumber == true, amount.last?.isNumber == true else {
            return nil
        }
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
    init?(_ texts: some Sequence<ArraySlice<UInt8>>) {
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
