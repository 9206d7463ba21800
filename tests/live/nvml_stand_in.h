#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

/// The machine that the stand-in driver makes up, for its parts: nvml_stand_in.cc has how it is
/// described, and all calls but those about MIG instances.
namespace stand_in {

struct Device {
  std::string uuid, bus, name;
  unsigned long long memory_mib = 0;
  int major = 0;
  int minor = 0;
};
struct Process {
  unsigned pid;
  unsigned long long memory_mib;
};
struct Xid {
  long serial;
  unsigned device;
  unsigned long long number;
};

struct Fabric {
  std::string uuid;  // 32 hexadecimal digits
  int state = 0;
  unsigned clique = 0;
};
struct Machine {
  std::string driver = "550.54.15";
  int init_code = 0;
  std::vector<Device> devices;
  std::map<unsigned, int> fails;
  std::set<unsigned> hangs;
  std::map<std::pair<unsigned, std::string>, long long> values;
  std::set<std::string> lacks;
  std::map<unsigned, std::vector<Process>> processes;
  std::map<unsigned, std::map<unsigned, std::string>> links;
  std::map<unsigned, Fabric> fabrics;
  std::vector<Xid> xids;
  std::map<std::string, int> mig_fails;
  std::set<std::string> mig_kills;
  bool timed = false;
};

extern std::mutex mutex;
extern Machine& machine;  // guarded by mutex; as the file has it since the last enter()

/// A device's handle is its index plus one.
inline unsigned index_of(const void* handle) {
  return static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(handle) - 1);
}

/// Blocks while the device hangs; its code otherwise.
int enter(unsigned index);

/// Whether a handle is of a MIG device, or of another part of one; and that one's UUID, empty where
/// there is none any more.
bool is_part(const void* handle);
unsigned device_of(const void* handle);
std::string uuid_of_part(const void* handle);

}  // namespace stand_in
