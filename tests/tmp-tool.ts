import { debianTools } from '@twinpool/testing/debian'
const t = await debianTools(['chromium'])
console.log(typeof t === 'string' ? t : t.root)
