#pragma once

#include <tuple>

#include "codec/field.h"
#include "domain/queue.h"

/// The part of fields.h that is about queues; the same rules hold.
namespace gyre::codec {

template <>
struct Fields<ResourceSum> {
  static constexpr std::tuple list{Field{"gpu_milli", &ResourceSum::gpu_milli},
                                   Field{"cpu_milli", &ResourceSum::cpu_milli},
                                   Field{"memory_mib", &ResourceSum::memory_mib}};
};
template <>
struct Fields<QueueSpec> {
  static constexpr std::tuple list{Field{"name", &QueueSpec::name},
                                   Field{"partition", &QueueSpec::partition},
                                   Field{"parent", &QueueSpec::parent},
                                   Field{"weight", &QueueSpec::weight},
                                   Field{"weighted", &QueueSpec::weighted},
                                   Field{"guaranteed", &QueueSpec::guaranteed},
                                   Field{"gpu_milli_max", &QueueSpec::gpu_milli_max},
                                   Field{"jobs_max", &QueueSpec::jobs_max},
                                   Field{"gpu_seconds_max", &QueueSpec::gpu_seconds_max},
                                   Field{"gpu_time_window", &QueueSpec::gpu_time_window},
                                   Field{"half_life", &QueueSpec::half_life}};
};
template <>
struct Fields<Admission> {
  static constexpr std::tuple list{Field{"job", &Admission::job},
                                   Field{"place", &Admission::place}};
};
template <>
struct Fields<QueueUsage> {
  static constexpr std::tuple list{
      Field{"queue", &QueueUsage::queue},       Field{"past", &QueueUsage::past},
      Field{"area", &QueueUsage::area},         Field{"at_s", &QueueUsage::at_s},
      Field{"window_s", &QueueUsage::window_s}, Field{"gpu_milli_s", &QueueUsage::gpu_milli_s}};
};

}  // namespace gyre::codec
