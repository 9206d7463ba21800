#pragma once

#include <string>
#include <string_view>

#include "base/time.h"

namespace gyre::codec {

/// `text` as an error message may repeat it: control characters and bytes that are not UTF-8
/// escaped as \xNN, cut after some 60 bytes. What a stranger wrote cannot forge lines of a log or
/// steer a terminal.
std::string printable(std::string_view text);

/// A time as a spec says it, to the millisecond: in the largest unit that it is a whole number of.
std::string duration_text(Duration duration);

}  // namespace gyre::codec
