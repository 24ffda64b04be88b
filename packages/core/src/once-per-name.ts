/** Works out what belongs to a name when it is first asked for, and remembers it: for what a configuration fixes. */
export function oncePerName<T>(make: (name: string) => T): (name: string) => T {
  const made = new Map<string, T>()
  return (name) => {
    if (!made.has(name)) made.set(name, make(name))
    return made.get(name)!
  }
}
