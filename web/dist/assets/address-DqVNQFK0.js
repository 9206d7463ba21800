<<<<<<<< HEAD:web/dist/assets/address-JG5dxlLl.js
import{V as e}from"./index-BtqHDOti.js";function t(){let[t,n]=e();return[t,e=>n(t=>{let n=new URLSearchParams(t);for(let[t,r]of Object.entries(e))r?n.set(t,r):n.delete(t);return n},{replace:!0})]}export{t};
========
import{V as e}from"./index-DdTEbc8S.js";function t(){let[t,n]=e();return[t,e=>n(t=>{let n=new URLSearchParams(t);for(let[t,r]of Object.entries(e))r?n.set(t,r):n.delete(t);return n},{replace:!0})]}export{t};
>>>>>>>> 6c9fe03a (Views, logs and pages go by each task's own attempt):web/dist/assets/address-DqVNQFK0.js
