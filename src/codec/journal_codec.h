#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/command.h"
#include "domain/controller_state.h"
#include "domain/event.h"
#include "domain/job.h"

namespace gyre::codec {

/// The text form of what a journal holds (docs/guide/journal.md): one JSON object on one line, with
/// named fields; a field that has its default is left out. decode(encode(x)) == x for every value,
/// also for strings that are not UTF-8.
///
/// Decoding ignores fields it does not know and gives absent ones their defaults, so that fields
/// can be added. Errors (Invalid): not JSON, or a field of a wrong type or out of range, which is
/// named; (Unsupported): an event or command type this version does not know. Thread-safe.
std::string encode(const Event& event);
std::string encode(const Command& command);
std::string encode(const Job& job);
std::string encode(const Transition& transition);

Result<Event> decode_event(std::string_view text);
Result<Command> decode_command(std::string_view text);
Result<Job> decode_job(std::string_view text);

/// Values that travel to nodes and back in the same form.
std::string encode(const NodeSpec& node);
std::string encode(const Launch& launch);
std::string encode(const TaskExit& exit);
std::string encode(const StartStages& stages);
Result<NodeSpec> decode_node(std::string_view text);
Result<Launch> decode_launch(std::string_view text);
Result<TaskExit> decode_exit(std::string_view text);
Result<StartStages> decode_stages(std::string_view text);

/// A state in parts of bounded size: all but its jobs first, then the jobs, some thousand a part.
std::vector<std::string> encode(const ControllerState& state);
Result<ControllerState> decode_state(std::span<const std::string> parts);

}  // namespace gyre::codec
