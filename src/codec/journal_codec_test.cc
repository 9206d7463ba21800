#include "codec/journal_codec.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <optional>
#include <utility>

#include "codec/fields.h"

namespace gyre::codec {
// Counts the members of an aggregate, so that one without a Field is a compile error: what nobody
// writes, no round trip misses.
struct Anything {
  template <class T>
  operator T() const;  // NOLINT: implicit on purpose
};

namespace {

template <class T, std::size_t... I>
constexpr bool takes(std::index_sequence<I...>) {
  return requires { T{(static_cast<void>(I), Anything{})...}; };
}
template <class T, std::size_t N = 32>
constexpr std::size_t member_count() {
  if constexpr (N == 0 || takes<T>(std::make_index_sequence<N>{})) {
    return N;
  } else {
    return member_count<T, N - 1>();
  }
}
template <class T, std::size_t Apart = 0>
constexpr bool kDescribesAll =
    member_count<T>() == std::tuple_size_v<std::remove_cvref_t<decltype(Fields<T>::list)>> + Apart;

static_assert(kDescribesAll<PolicySpec> && kDescribesAll<QueueSpec> && kDescribesAll<NodeSpec>);
static_assert(kDescribesAll<Request> && kDescribesAll<TaskGroup> && kDescribesAll<Checkpoint>);
static_assert(kDescribesAll<ContainerSpec> && kDescribesAll<ContainerSpec::Volume>);
static_assert(kDescribesAll<ContainerSpec::Tmpfs> && kDescribesAll<StartStages>);
static_assert(kDescribesAll<Progress> && kDescribesAll<Retry> && kDescribesAll<Launch> &&
              kDescribesAll<JobSpec>);
static_assert(kDescribesAll<Allocation> && kDescribesAll<TaskPlacement> && kDescribesAll<TaskExit>);
static_assert(kDescribesAll<Job> && kDescribesAll<Transition> && kDescribesAll<Tick>);
static_assert(kDescribesAll<PolicySet> && kDescribesAll<QueueSet> && kDescribesAll<NodeJoined>);
static_assert(kDescribesAll<NodeLost> && kDescribesAll<NodeReturned> &&
              kDescribesAll<JobSubmitted>);
static_assert(kDescribesAll<NodeDutySet> && kDescribesAll<NodeContact>);
static_assert(kDescribesAll<JobStopRequested> && kDescribesAll<TaskStarted>);
static_assert(kDescribesAll<TaskEnded> && kDescribesAll<StartGang> && kDescribesAll<StopGang>);
static_assert(kDescribesAll<Event> && kDescribesAll<Command> && kDescribesAll<NodeState>);
static_assert(kDescribesAll<HealingRule> && kDescribesAll<HealingSpec> &&
              kDescribesAll<HealingSet>);
static_assert(kDescribesAll<NodeHealth> && kDescribesAll<NodeHealth::Sighting>);
static_assert(kDescribesAll<Incident> && kDescribesAll<Move> && kDescribesAll<HealingState>);
static_assert(kDescribesAll<GpuErrorSeen> && kDescribesAll<TaskStalled>);
static_assert(kDescribesAll<GpuHealthSeen> && kDescribesAll<GpuTroubles>);
static_assert(kDescribesAll<StoreHealed> && kDescribesAll<OrphansEnded>);
static_assert(kDescribesAll<QuarantineNode> && kDescribesAll<ReleaseNode>);
static_assert(kDescribesAll<NodeImagesSeen> && kDescribesAll<HeldImage>);
static_assert(kDescribesAll<ImageHolding> && kDescribesAll<ImageFetch>);
static_assert(kDescribesAll<PrefetchImage>);
static_assert(kDescribesAll<RepairNode> && kDescribesAll<RepairEnded> && kDescribesAll<RepairStep>);
static_assert(kDescribesAll<RepairUnderway>);
static_assert(kDescribesAll<DemandKind> && kDescribesAll<DemandMix>);
static_assert(kDescribesAll<Reservation> && kDescribesAll<Reservation::Spare>);
static_assert(kDescribesAll<ResourceSum> && kDescribesAll<QueueUsage> && kDescribesAll<Admission>);
static_assert(kDescribesAll<Probe> && kDescribesAll<ReplicaCount> && kDescribesAll<RequestLimits>);
static_assert(kDescribesAll<Rollout> && kDescribesAll<ServiceSpec> && kDescribesAll<Replica>);
static_assert(kDescribesAll<Scale> && kDescribesAll<Service> && kDescribesAll<ServiceApplied>);
static_assert(kDescribesAll<ServiceDeleted> && kDescribesAll<ServiceLoadSeen>);
static_assert(kDescribesAll<ReplicaProbed>);
static_assert(kDescribesAll<PriceList::Model> && kDescribesAll<PriceList>);
static_assert(kDescribesAll<PriceChange> && kDescribesAll<HeldTime> && kDescribesAll<Charge>);
static_assert(kDescribesAll<JobCharge> && kDescribesAll<HourCharge> && kDescribesAll<LedgerState>);
static_assert(kDescribesAll<IdleSpec> && kDescribesAll<GpuUse> && kDescribesAll<IdleWarning>);
static_assert(kDescribesAll<IdleState> && kDescribesAll<PriceSet> && kDescribesAll<IdleSet>);
static_assert(kDescribesAll<GpuUseSeen>);
static_assert(kDescribesAll<ControllerState, 1>);  // its jobs are written apart

// Arbitrary values of every described type, extremes and strings that are not UTF-8 included.
template <class T>
requires std::is_integral_v<T>
void arbitrary(T& out) {
  out = *rc::gen::weightedOneOf<T>(
      {{3, rc::gen::arbitrary<T>()},
       {1, rc::gen::element(std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), T{})}});
}
template <class Tag, class Rep>
void arbitrary(Id<Tag, Rep>& out) {
  arbitrary(out.value);
}
template <class Tag, class Rep>
void arbitrary(Quantity<Tag, Rep>& out) {
  arbitrary(out.value);
}
void arbitrary(Time& out) { arbitrary(out.ns); }
void arbitrary(Duration& out) { arbitrary(out.ns); }
void arbitrary(std::string& out) {
  out = *rc::gen::weightedOneOf<std::string>(
      {{3, rc::gen::container<std::string>(rc::gen::inRange<char>(0, 127))},
       {1, rc::gen::container<std::string>(rc::gen::arbitrary<char>())},
       {1, rc::gen::element<std::string>("", "grün", "\"\\/\b\f\n\r\t", "\u2028\U0001f600",
                                         std::string("a\0b", 3))}});
}
template <NamedEnum E>
void arbitrary(E& out) {
  out = static_cast<E>(*rc::gen::inRange<std::size_t>(0, EnumNames<E>::list.size()));
}
template <Described T>
void arbitrary(T& out);
template <class T>
void arbitrary(std::optional<T>& out) {
  if (*rc::gen::arbitrary<bool>()) arbitrary(out.emplace());
}
void arbitrary(std::pair<std::string, std::string>& out) {
  arbitrary(out.first);
  arbitrary(out.second);
}
template <class T>
void arbitrary(std::vector<T>& out) {
  out.resize(*rc::gen::inRange<std::size_t>(0, 4));
  for (T& item : out) arbitrary(item);
}
template <class... A>
void arbitrary(std::variant<A...>& out) {
  const auto index = *rc::gen::inRange<std::size_t>(0, sizeof...(A));
  std::size_t at = 0;
  const auto make = [&]<class X>(std::type_identity<X>) {
    if (at++ == index) arbitrary(out.template emplace<X>());
  };
  (make(std::type_identity<A>{}), ...);
}
template <class T>
void arbitrary(Shared<T>& out) {
  out = out.with([](T& value) { arbitrary(value); });
}
template <Described T>
void arbitrary(T& out) {
  std::apply([&](const auto&... field) { (arbitrary(out.*field.member), ...); }, Fields<T>::list);
}

template <class T>
T any() {
  T value;
  arbitrary(value);
  return value;
}

RC_GTEST_PROP(JournalCodec, EventsComeBack, ()) {
  const auto event = any<Event>();
  const std::string text = encode(event);
  RC_LOG() << text << "\n";
  const auto back = decode_event(text);
  RC_ASSERT(back.has_value());
  RC_ASSERT(*back == event);
  RC_ASSERT(text.find('\n') == std::string::npos);
}

RC_GTEST_PROP(JournalCodec, CommandsComeBack, ()) {
  const auto command = any<Command>();
  const std::string text = encode(command);
  RC_LOG() << text << "\n";
  RC_ASSERT(decode_command(text).value() == command);
}

RC_GTEST_PROP(JournalCodec, JobsComeBack, ()) {
  const auto job = any<Job>();
  RC_ASSERT(decode_job(encode(job)).value() == job);
}

RC_GTEST_PROP(JournalCodec, StatesComeBack, ()) {
  auto state = any<ControllerState>();
  arbitrary(state.jobs);
  RC_ASSERT(decode_state(encode(state)).value() == state);
}

TEST(JournalCodec, LongStatesAreWrittenInPartsInOrder) {
  ControllerState state;
  for (std::uint64_t i = 1; i <= 2500; ++i) {
    Job job;
    job.id = {i};
    state.jobs.push_back(job);
  }
  const auto parts = encode(state);
  EXPECT_EQ(parts.size(), 4U);
  EXPECT_EQ(decode_state(parts).value(), state);
}

TEST(JournalCodec, EveryTypeHasItsOwnName) {
  const Event tick{Time{5}, EventSeq{2}, Tick{}};
  EXPECT_EQ(encode(tick), R"({"at":5,"seq":2,"type":"tick"})");
  const Command stop{CommandId{9}, StopGang{JobId{3}, 2, Termination::Preempted, JobId{4}, {}}};
  EXPECT_EQ(
      encode(stop),
      R"({"id":9,"type":"stop_gang","job":3,"attempt":2,"cause":"preempted","beneficiary":4})");
}

TEST(JournalCodec, EnumNamesAreThoseShownToPeople) {
  for (std::size_t i = 0; i < EnumNames<JobState>::list.size(); ++i) {
    EXPECT_EQ(EnumNames<JobState>::list[i], to_string(static_cast<JobState>(i)));
  }
  for (std::size_t i = 0; i < EnumNames<Termination>::list.size(); ++i) {
    EXPECT_EQ(EnumNames<Termination>::list[i], to_string(static_cast<Termination>(i)));
  }
}

TEST(JournalCodec, UnknownFieldsAreLeftAlone) {
  const auto event =
      decode_event(R"({"new":{"deep":[1,{"a":null}]},"seq":3,"type":"task_started","job":7,)"
                   R"("rank":1,"more":1.5})");
  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(*event, (Event{Time{}, EventSeq{3}, TaskStarted{JobId{7}, 0, 1}}));
}

struct BadRecord {
  const char* text;
  const char* message;  // a part of it
};

TEST(JournalCodec, WhatIsWrongIsNamed) {
  const BadRecord cases[] = {
      {"", "event is not JSON"},
      {"{", "event is not JSON"},
      {"[]", "expected an object, found []"},
      {"{}", "field type: expected the name of a type"},
      {R"({"type":7})", "field type: expected the name of a type"},
      {R"({"type":"job_cloned"})", "'job_cloned' is not a type that this version knows"},
      {R"({"type":"tick","at":"now"})",
       R"(field at: expected an integer from -9223372036854775808)"},
      {R"({"type":"tick","seq":-1})", "field seq: expected an integer from 0 to"},
      {R"({"type":"tick","seq":1.5})", "field seq: expected an integer from 0 to"},
      {R"({"type":"task_started","rank":2147483648})", "field rank: expected an integer"},
      {R"({"type":"job_submitted","spec":{"tasks":[{},{"request":{"gpus":"x"}}]}})",
       "field spec.tasks[1].request.gpus: expected an integer"},
      {R"({"type":"job_submitted","spec":{"launch":{"env":[["A"]]}}})",
       R"(field spec.launch.env[0]: expected a list of two strings, found ["A"])"},
      {R"({"type":"job_submitted","spec":{"launch":{"env":[["A",1]]}}})",
       "field spec.launch.env[0][1]: expected a string"},
      {R"({"type":"job_submitted","spec":{"launch":{"command":{}}}})",
       "field spec.launch.command: expected a list, found {}"},
      {R"({"type":"job_submitted","spec":{"preemptible":1}})",
       "field spec.preemptible: expected true or false, found 1"},
      {R"({"type":"job_submitted","spec":{"name":{"hex":"0g"}}})",
       "field spec.name: expected a string"},
      {R"({"type":"policy_set","policy":{"order":"lifo"}})",
       R"(field policy.order: expected one of fifo, priority, sjf, )"},
  };
  for (const auto& [text, message] : cases) {
    const auto event = decode_event(text);
    ASSERT_FALSE(event) << text;
    EXPECT_NE(event.error().message.find(message), std::string::npos) << event.error().message;
  }
}

TEST(JournalCodec, ATypeOfANewerVersionIsUnsupported) {
  EXPECT_EQ(decode_command(R"({"type":"provision"})").error().kind, ErrorKind::Unsupported);
  EXPECT_EQ(decode_command(R"({"type":7})").error().kind, ErrorKind::Invalid);
}

TEST(JournalCodec, DeepTextIsRefusedNotFollowed) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_FALSE(decode_event(deep));
}

}  // namespace
}  // namespace gyre::codec
