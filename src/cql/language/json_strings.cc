#include "cql/language/json_strings.h"

namespace penumbra::cql {

namespace {

int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

bool JsonStrings::next() {
    while (at_ < json_.size()) {
        const char c = json_[at_++];
        switch (c) {
            case '{':
            case '[':
                if (depth_++ == 0) outer_ = c == '{';
                key_ = depth_ == 1 && outer_;
                break;
            case '}':
            case ']':
                if (depth_ > 0) --depth_;
                break;
            case ',':
                key_ = depth_ == 1 && outer_;
                break;
            case ':':
                key_ = false;
                break;
            case '"':
                resolve();
                if (at_ == json_.size()) return false;  // not closed
                ++at_;
                return true;
            default:
                break;
        }
    }
    return false;
}

/// Up to the closing quote.
void JsonStrings::resolve() {
    size_ = 0;
    clipped_ = false;
    while (at_ < json_.size() && json_[at_] != '"') {
        char c = json_[at_++];
        if (c != '\\' || at_ == json_.size()) {
            if (size_ < kMost) {
                text_[size_++] = c;
            } else {
                clipped_ = true;
            }
            continue;
        }
        c = json_[at_++];
        unsigned code = 0;
        switch (c) {
            case 'b':
                code = '\b';
                break;
            case 'f':
                code = '\f';
                break;
            case 'n':
                code = '\n';
                break;
            case 'r':
                code = '\r';
                break;
            case 't':
                code = '\t';
                break;
            case 'u':
                for (int digits = 0; digits < 4 && at_ < json_.size() && hex(json_[at_]) >= 0; ++digits)
                    code = code * 16 + static_cast<unsigned>(hex(json_[at_++]));
                break;
            case '"':
            case '\\':
            case '/':
                code = static_cast<unsigned char>(c);
                break;
            default:
                break;  // no JSON: a character that nobody looks for
        }
        put(code);
    }
}

/// Halves of a pair that stands for one character are put down apart: nothing that is looked for has such.
void JsonStrings::put(unsigned code) {
    if (size_ >= kMost) {
        clipped_ = true;
        return;
    }
    const auto byte = [this](unsigned value) { text_[size_++] = static_cast<char>(value); };
    if (code < 0x80) {
        byte(code);
    } else if (code < 0x800) {
        byte(0xC0 | code >> 6);
        byte(0x80 | (code & 0x3F));
    } else {
        byte(0xE0 | code >> 12);
        byte(0x80 | (code >> 6 & 0x3F));
        byte(0x80 | (code & 0x3F));
    }
}

}  // namespace penumbra::cql
